// What the agent wrote over time: lengths, layer types, kernels.
blockqnn.distributions = (() => {
  const { charts, element } = blockqnn;
  // Of windows, from the smallest to the largest: squares, wide ones, high ones.
  const SHADES = [
    [[207, 224, 238], [31, 106, 165]],
    [[205, 232, 208], [27, 120, 55]],
    [[246, 222, 196], [166, 86, 24]],
  ];

  const data = () => blockqnn.summary.distributions;

  // What is stacked in a chart of shares, from below: name, values by time, colour.
  const types = () =>
    Object.entries(data().types).map(([name, values]) => ({
      name: name.replace("convolution", "conv").replace("_pooling", " pooling").replace("average", "avg"),
      values,
      // Identity is drawn white with a dashed border, which an area cannot have.
      colour: name === "identity" ? "#b9bec4" : blockqnn.style.colours[name].fill,
    }));

  const shape = (name) => {
    const [rows, columns] = name.split("x").map(Number);
    return rows === columns ? 0 : rows < columns ? 1 : 2;
  };

  const shade = (name, names) => {
    const alike = names.filter((other) => shape(other) === shape(name));
    const part = alike.indexOf(name) / Math.max(1, alike.length - 1);
    const [light, dark] = SHADES[shape(name)];
    return `rgb(${light.map((low, i) => Math.round(low + part * (dark[i] - low))).join(",")})`;
  };

  const kernels = () => {
    const found = data().kernels;
    return Object.entries(found).map(([name, values]) => ({
      name,
      values,
      colour: shade(name, Object.keys(found)),
    }));
  };

  const shares = (parts) => () => ({
    traces: parts().map(({ name, values, colour }) => ({
      x: data().iteration,
      y: values,
      stackgroup: "one",
      mode: "lines",
      line: { color: charts.colour("ground"), width: 1 },
      fillcolor: colour,
      hovertemplate: `to iteration %{x}: ${name} %{y:.1%}<extra></extra>`,
    })),
    more: {
      xaxis: charts.axis("iteration"),
      yaxis: charts.axis("", { range: [0, 1], tickformat: ".0%", showgrid: false }),
      margin: { l: 48, r: 12, t: 8, b: 44 },
    },
  });

  const key = (parts) =>
    element(
      "p",
      { class: "keys" },
      parts()
        .reverse()
        .map(({ name, colour }) => {
          const mark = element("span", { class: "key" });
          mark.style.background = colour;
          return element("span", {}, mark, name);
        }),
    );

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

  const titled = (title, ...parts) => element("div", {}, element("h3", {}, title), parts);

  const shareChart = (id, title, parts) =>
    titled(title, charts.place(id, 280, `${title} by iteration, as shares`, shares(parts)), key(parts));

  const build = () =>
    blockqnn.section(
      "distributions",
      "What the agent wrote",
      "All suggested blocks as they were written, whatever became of them. Length: median, mean " +
        "(dotted) and the middle 80 %. Types: shares of all layers. Kernels: shares of convolutions and pooling. " +
        "Layers are the operations that were chosen, identities among them, and what joins several tensors; " +
        "what is given and the concatenation or mean of all that goes out are none.",
      element(
        "div",
        { class: "three" },
        titled("Length", charts.place("length-chart", 280, "Length of blocks by iteration", lengths)),
        shareChart("types-chart", "Layer types", types),
        shareChart("kernels-chart", "Kernels", kernels),
      ),
    );

  return { build };
})();
