// Charts by Plotly: colours of the theme, drawn when they come into view, before printing or in
// spare time, and drawn again when the theme or the data change. Plotly reads a few tags in the
// texts that it shows, so it is given numbers and words of this program, never text of a store.
blockqnn.charts = (() => {
  const charts = new Map();
  const CONFIG = {
    displaylogo: false,
    displayModeBar: "hover",
    responsive: true,
    modeBarButtons: [["toImage", "resetScale2d"]],
    toImageButtonOptions: { format: "svg" },
  };
  let waiting = false;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const axis = (title, more = {}) => ({
    title: { text: title, standoff: 8 },
    gridcolor: colour("grid"),
    linecolor: colour("rule"),
    zeroline: false,
    ticks: "outside",
    ticklen: 4,
    tickcolor: colour("rule"),
    automargin: true,
    fixedrange: false,
    ...more,
  });

  const layout = (more) => ({
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("text") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 56, r: 16, t: 8, b: 44 },
    hovermode: "closest",
    hoverlabel: {
      bgcolor: colour("ground"),
      bordercolor: colour("rule"),
      font: { color: colour("text"), size: 12 },
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("accent") },
    showlegend: false,
    ...more,
    // What the reader zoomed into stays until the axes are to show something else.
    uirevision: `${blockqnn.axes.revision()} ${more.uirevision ?? ""}`,
  });

  const connect = (chart) => {
    // Traces whose points are blocks carry the trial's number as customdata.
    const number = (event) => event.points[0]?.customdata;
    chart.node.on("plotly_hover", (event) => {
      if (typeof number(event) === "number") {
        blockqnn.panel.preview(number(event), event.event.clientX, event.event.clientY);
      }
    });
    chart.node.on("plotly_unhover", blockqnn.panel.hide);
    chart.node.on("plotly_click", (event) => {
      if (typeof number(event) === "number") blockqnn.panel.pin(number(event));
    });
    if (chart.byRange) {
      chart.node.on("plotly_relayout", (change) => {
        if (!Object.keys(change).some((key) => key.startsWith("xaxis") || key.startsWith("yaxis"))) return;
        chart.stale = true;
        schedule();
      });
    }
  };

  const draw = (chart) => {
    if (!chart.stale) return;
    chart.stale = false;
    const { traces, more } = chart.figure();
    Plotly.react(chart.node, traces, layout(more), CONFIG);
    if (!chart.connected) connect(chart);
    chart.connected = true;
  };

  const drawAll = () => charts.forEach(draw);

  // One chart at a time, so that the page answers in between.
  const drawInSpareTime = () => {
    const next = [...charts.values()].find((chart) => chart.stale);
    waiting = Boolean(next);
    document.documentElement.dataset.drawn = String(!next);
    if (!next) {
      performance.mark("blockqnn-drawn");
      return;
    }
    setTimeout(() => {
      draw(next);
      drawInSpareTime();
    }, 0);
  };

  function schedule() {
    document.documentElement.dataset.drawn = "false";
    if (waiting) return;
    waiting = true;
    const begin = () => requestAnimationFrame(() => setTimeout(drawInSpareTime, 0));
    // Plotly is large and stands last in the page, so that words and table do not wait for it.
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
    else begin();
  }

  // A place for a chart; `figure` gives its traces and what its layout has besides the common,
  // anew for each range that is shown if it depends on it.
  const place = (id, height, label, figure, byRange = false) => {
    const node = blockqnn.element("div", { id, class: "chart", role: "img", "aria-label": label });
    node.style.height = `${height}px`;
    charts.set(id, { node, figure, byRange, stale: true, connected: false });
    schedule();
    return node;
  };

  const refresh = () => {
    charts.forEach((chart) => (chart.stale = true));
    schedule();
  };

  // Paper is white and of another width: charts are drawn in light colours and then scaled as they
  // are, since no chart can be measured anew in the middle of printing.
  let themeBefore;
  addEventListener("beforeprint", () => {
    const root = document.documentElement;
    themeBefore = root.dataset.theme;
    root.dataset.theme = "light";
    charts.forEach((chart) => (chart.stale = true));
    drawAll();
    for (const { node } of charts.values()) {
      const { width, height } = node._fullLayout;
      node.querySelector(".svg-container").style.aspectRatio = `${width} / ${height}`;
      for (const svg of node.querySelectorAll(".main-svg")) {
        svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      }
    }
  });
  addEventListener("afterprint", () => {
    const root = document.documentElement;
    if (themeBefore) root.dataset.theme = themeBefore;
    else delete root.dataset.theme;
    for (const { node } of charts.values()) {
      for (const svg of node.querySelectorAll(".main-svg")) svg.removeAttribute("viewBox");
    }
    refresh();
  });

  return { place, refresh, axis, colour };
})();
