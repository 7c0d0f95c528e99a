// What judges a block against what it costs, with the Pareto front.
blockqnn.scatter = (() => {
  const { axes, charts, measure } = blockqnn;
  const CELL_PX = 4;
  const FEW = 2000;

  const trainedRows = () => {
    const trained = blockqnn.statuses.indexOf("trained");
    const status = blockqnn.trials.column("status");
    return [...status.keys()].filter((row) => status[row] === trained);
  };

  // The chart's ranges as they are shown: of the logarithm of the cost, and of the accuracy.
  const ranges = (id, x, y) => {
    const shown = document.getElementById(id)?._fullLayout;
    const range = (axis, values) =>
      axis && !axis.autorange
        ? axis.range
        : [
            values.reduce((a, b) => Math.min(a, b), Infinity),
            values.reduce((a, b) => Math.max(a, b), -Infinity),
          ];
    return [range(shown?.xaxis, x), range(shown?.yaxis, y)];
  };

  // Of thousands of points most lie on others. In each cell of the chart as it is shown only that
  // of the best reward is drawn; a chart that is zoomed into has other cells.
  const thinned = (rows, id, cost) => {
    if (rows.length <= FEW) return rows;
    const [costs, accuracies, rewards] = [cost, "accuracy", "reward"].map(blockqnn.trials.column);
    const x = (row) => Math.log10(costs[row]);
    const [[left, right], [bottom, top]] = ranges(id, rows.map(x), rows.map((row) => measure.value(accuracies[row])));
    const { clientWidth, clientHeight } = document.getElementById(id);
    const [columns, lines] = [clientWidth / CELL_PX, clientHeight / CELL_PX];
    const cells = new Map();
    for (const row of rows) {
      const column = Math.floor(((x(row) - left) / (right - left)) * columns);
      const line = Math.floor(((measure.value(accuracies[row]) - bottom) / (top - bottom)) * lines);
      if (column < 0 || line < 0 || column > columns || line > lines) continue;
      const cell = column * 10000 + line;
      const other = cells.get(cell);
      if (other === undefined || rewards[other] < rewards[row]) cells.set(cell, row);
    }
    return [...cells.values()];
  };

  const figure = (id, cost, title) => () => {
    const all = trainedRows();
    const rows = thinned(all, id, cost);
    const column = (name) => rows.map((row) => blockqnn.trials.column(name)[row]);
    const values = (name) => all.map((row) => blockqnn.trials.column(name)[row]);
    const yaxis = charts.axis(measure.title(), axes.range(values("accuracy"), [], true));
    const front = blockqnn.summary.pareto[cost].map((number) => blockqnn.trials.get(number));
    return {
      traces: [
        {
          x: column(cost),
          y: column("accuracy").map(measure.value),
          customdata: column("number"),
          mode: "markers",
          marker: { color: charts.colour("muted"), size: all.length > FEW ? 4 : 6, opacity: 0.45 },
          hoverinfo: "none",
        },
        {
          x: front.map((trial) => trial[cost]),
          y: front.map((trial) => measure.value(trial.accuracy)),
          customdata: front.map((trial) => trial.number),
          mode: "lines+markers",
          line: { color: charts.colour("accent"), width: 1.5, shape: "hv" },
          marker: { color: charts.colour("accent"), size: 7 },
          hoverinfo: "none",
        },
        axes.marks(yaxis, values(cost), values("accuracy"), values("number"), {}, true),
      ],
      more: {
        xaxis: charts.axis(title, { type: "log", exponentformat: "SI", dtick: 1 }),
        yaxis,
      },
    };
  };

  const chart = (id, cost, title) =>
    charts.place(id, 340, `${measure.capital()} against ${title}`, figure(id, cost, title), true);

  const build = () =>
    blockqnn.section(
      "scatter",
      `${measure.capital()} and cost`,
      "Every trained block; where many lie on one another, the one of best reward. The blue line is " +
        "the Pareto front: no block is both cheaper and at least as good. FLOPs are of the child " +
        `network, for one ${blockqnn.summary.examples.slice(0, -1)}, forward.`,
      axes.toggle(),
      blockqnn.element(
        "div",
        { class: "pair" },
        chart("flops-chart", "flops", "FLOPs"),
        chart("parameters-chart", "parameters", "parameters"),
      ),
    );

  return { build };
})();
