// What the agent wrote over time: lengths, layer types, kernels.
blockqnn.distributions = (() => {
  const { charts, element } = blockqnn;
  const KERNELS = { 1: "1x1", 3: "3x3", 5: "5x5" };

  const data = () => blockqnn.summary.distributions;

  // A chart of stacked shares; each area has its name at its right end, where it is wide enough.
  const shares = (names, values, colours) => {
    const x = data().iteration;
    let below = 0;
    const annotations = [];
    names.forEach((name, index) => {
      const last = values[index][values[index].length - 1] ?? 0;
      if (last > 0.04) {
        annotations.push({
          text: name,
          x: 1,
          xref: "paper",
          xanchor: "left",
          xshift: 6,
          y: below + last / 2,
          showarrow: false,
          font: { size: 11 },
        });
      }
      below += last;
    });
    return {
      traces: names.map((name, index) => ({
        x,
        y: values[index],
        name,
        stackgroup: "one",
        mode: "lines",
        line: { color: charts.colour("ground"), width: 1 },
        fillcolor: colours[index],
        hovertemplate: `to iteration %{x}: ${name} %{y:.1%}<extra></extra>`,
      })),
      more: {
        xaxis: charts.axis("iteration"),
        yaxis: charts.axis("", { range: [0, 1], tickformat: ".0%", showgrid: false }),
        margin: { l: 48, r: 84, t: 8, b: 44 },
        annotations,
      },
    };
  };

  const types = () => {
    const names = Object.keys(data().types);
    return shares(
      names.map((name) => name.replace("convolution", "conv").replace("_pooling", " pooling").replace("average", "avg")),
      names.map((name) => data().types[name]),
      // Identity is drawn white with a dashed border, which an area cannot have.
      names.map((name) => (name === "identity" ? "#b9bec4" : blockqnn.style.colours[name].fill)),
    );
  };

  const kernels = () =>
    shares(Object.values(KERNELS), Object.keys(KERNELS).map((side) => data().kernels[side]), [
      "#cfe0ee",
      "#6ea6cf",
      "#1f6aa5",
    ]);

  const lengths = () => {
    const { iteration, length } = data();
    return {
      traces: [
        {
          x: [...iteration, ...[...iteration].reverse()],
          y: [...length.high, ...[...length.low].reverse()],
          mode: "lines",
          line: { width: 0 },
          fill: "toself",
          fillcolor: charts.colour("band"),
          hoverinfo: "skip",
        },
        {
          x: iteration,
          y: length.median,
          mode: "lines",
          line: { color: charts.colour("accent"), width: 2 },
          hovertemplate: "to iteration %{x}: median %{y} layers<extra></extra>",
        },
        {
          x: iteration,
          y: length.mean,
          mode: "lines",
          line: { color: charts.colour("text"), width: 1.2, dash: "dot" },
          hovertemplate: "to iteration %{x}: mean %{y:.1f} layers<extra></extra>",
        },
      ],
      more: {
        xaxis: charts.axis("iteration"),
        yaxis: charts.axis("layers", { rangemode: "tozero" }),
      },
    };
  };

  const titled = (title, chart) => element("div", {}, element("h3", {}, title), chart);

  const build = () =>
    blockqnn.section(
      "distributions",
      "What the agent wrote",
      "All suggested blocks as they were written, whatever became of them. Length: median, mean " +
        "(dotted) and the middle 80 %. Types: shares of all layers. Kernels: shares of convolutions and pooling.",
      element(
        "div",
        { class: "three" },
        titled("Length", charts.place("length-chart", 280, "Length of blocks by iteration", lengths)),
        titled("Layer types", charts.place("types-chart", 280, "Shares of layer types by iteration", types)),
        titled("Kernels", charts.place("kernels-chart", 280, "Shares of kernel sizes by iteration", kernels)),
      ),
    );

  return { build };
})();
