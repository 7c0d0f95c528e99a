// Accuracy against what a block costs, with the Pareto front.
blockqnn.scatter = (() => {
  const { charts } = blockqnn;

  const figure = (cost, title) => () => {
    const trained = blockqnn.statuses.indexOf("completed");
    const status = blockqnn.trials.column("status");
    const rows = [...status.keys()].filter((row) => status[row] === trained);
    const column = (name) => rows.map((row) => blockqnn.trials.column(name)[row]);
    const front = blockqnn.summary.pareto[cost].map((number) => blockqnn.trials.get(number));
    return {
      traces: [
        {
          x: column(cost),
          y: column("accuracy"),
          customdata: column("number"),
          mode: "markers",
          marker: { color: charts.colour("muted"), size: rows.length > 2000 ? 4 : 6, opacity: 0.45 },
          hoverinfo: "none",
        },
        {
          x: front.map((trial) => trial[cost]),
          y: front.map((trial) => trial.accuracy),
          customdata: front.map((trial) => trial.number),
          mode: "lines+markers",
          line: { color: charts.colour("accent"), width: 1.5, shape: "hv" },
          marker: { color: charts.colour("accent"), size: 7 },
          hoverinfo: "none",
        },
      ],
      more: {
        xaxis: charts.axis(title, { type: "log", exponentformat: "SI", dtick: 1 }),
        yaxis: charts.axis("accuracy, %"),
      },
    };
  };

  const build = () =>
    blockqnn.section(
      "scatter",
      "Accuracy and cost",
      "Every trained block. The blue line is the Pareto front: no block is both cheaper and at " +
        "least as accurate. FLOPs are of the child network, for one image, forward.",
      blockqnn.element(
        "div",
        { class: "pair" },
        charts.place("flops-chart", 340, "Accuracy against FLOPs", figure("flops", "FLOPs")),
        charts.place(
          "parameters-chart",
          340,
          "Accuracy against parameters",
          figure("parameters", "parameters"),
        ),
      ),
    );

  return { build };
})();
