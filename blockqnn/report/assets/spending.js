// Where the seconds went, and why blocks were not trained.
blockqnn.spending = (() => {
  const { charts, element, format } = blockqnn;
  const PARTS = [
    ["training", "training", "accent"],
    ["waiting", "waiting for the compiler", "second"],
    ["idle", "idle", "faint"],
  ];

  const figure = () => {
    const rows = blockqnn.summary.spending.per_iteration;
    return {
      traces: PARTS.map(([part, name, colour]) => ({
        type: "bar",
        x: rows.iteration,
        y: rows[part],
        marker: { color: charts.colour(colour), line: { width: 0 } },
        hovertemplate: `iteration %{x}: ${name} %{y:.1f} s<extra></extra>`,
      })),
      more: {
        barmode: "stack",
        bargap: 0.15,
        xaxis: charts.axis("iteration"),
        yaxis: charts.axis("device seconds"),
      },
    };
  };

  const key = ([part, name, colour]) => {
    const { spending } = blockqnn.summary;
    const mark = element("span", { class: "key" });
    mark.style.background = `var(--${colour})`;
    return element(
      "tr",
      {},
      element("th", { scope: "row", class: "text" }, mark, name),
      element("td", {}, format.duration(spending[part])),
      element("td", {}, format.percent(spending.shares[part], 1)),
    );
  };

  const words = () => {
    const { spending } = blockqnn.summary;
    if (!spending.lanes) return "No child took any time.";
    const stopped = spending.stopped
      ? ` The search stood still for ${format.duration(spending.stopped)}, which is not counted.`
      : "";
    return (
      `${spending.lanes} at a time for ${format.duration(spending.span)}. Compilers ran for ` +
      `${format.duration(spending.compiling)}, in part while children trained; their cache saved ` +
      `${format.duration(spending.saved)}.${stopped}`
    );
  };

  const reasons = () => {
    const rows = blockqnn.summary.reasons;
    if (!rows.length) return element("p", {}, "Every suggested block could be trained.");
    const most = Math.max(...rows.map((row) => row.count));
    const suggested = blockqnn.summary.findings.suggested;
    const line = (row) => {
      const bar = element("span", { class: "bar" });
      bar.style.width = `${(100 * row.count) / most}%`;
      return element(
        "tr",
        {},
        element("td", { class: "text" }, row.status),
        element("td", { class: "text reason-text" }, row.reason),
        element("td", {}, format.count(row.count)),
        element("td", {}, format.percent(row.count / suggested, 1)),
        element("td", { class: "text bars" }, bar),
        element("td", {}, blockqnn.links.trial(row.trial)),
      );
    };
    const titles = ["status", "reason", "blocks", "of suggested", "", "such as"];
    const heads = titles.map((title, index) =>
      element("th", { scope: "col", class: index < 2 ? "text" : "" }, title),
    );
    return element(
      "table",
      {},
      element("thead", {}, element("tr", {}, heads)),
      element("tbody", {}, rows.map(line)),
    );
  };

  const show = () => {
    const { spending, reasons: rows } = blockqnn.summary;
    if (!blockqnn.changed(document.getElementById("spending-body"), [spending, rows])) return;
    document.getElementById("spending-words").textContent = words();
    document.getElementById("spending-body").hidden = !spending.lanes;
    document.getElementById("spending-shares").replaceChildren(...PARTS.map(key));
    document.getElementById("reasons-table").replaceChildren(reasons());
  };

  const build = () => [
    blockqnn.section(
      "spending",
      "Where the time went",
      null,
      element("p", { id: "spending-words", class: "caption" }),
      element(
        "div",
        { id: "spending-body", class: "aside" },
        charts.place("spending-chart", 240, "Device seconds by iteration", figure),
        element("table", { class: "narrow" }, element("tbody", { id: "spending-shares" })),
      ),
    ),
    blockqnn.section(
      "reasons",
      "Why blocks were not trained",
      null,
      element("div", { id: "reasons-table", class: "scroll" }),
    ),
  ];

  return { build, show };
})();
