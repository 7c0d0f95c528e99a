// Learning curves: reward, what judges children and epsilon over the iterations, on one axis.
blockqnn.curves = (() => {
  const { axes, charts, measure } = blockqnn;

  // The outline of a band, there and back; iterations without a value are left out.
  const band = (x, curve, most, shown) => {
    const known = x.map((_, index) => index).filter((index) => curve.mean[index] !== null);
    const back = [...known].reverse();
    return {
      x: [...known, ...back].map((index) => x[index]),
      y: [
        ...known.map((index) => shown(Math.min(most, curve.mean[index] + curve.deviation[index]))),
        ...back.map((index) => shown(curve.mean[index] - curve.deviation[index])),
      ],
    };
  };

  // An axis for the means and the best so far.
  const vertical = (curves, name, title, more) => {
    const { mean, best } = curves[name];
    return charts.axis(title, { ...more, ...axes.range(mean, best, name === "accuracy") });
  };

  const traces = (curves, name, yaxis, axis) => {
    const x = curves.iteration;
    const curve = curves[name];
    const records = curve.records.map((number) => blockqnn.trials.get(number));
    const judged = name === "accuracy";
    const shown = judged ? measure.value : (value) => value;
    const spread = judged ? measure.spread : (_, deviation) => deviation;
    return [
      {
        // No accuracy is above 100 %, whatever the deviation.
        ...band(x, curve, judged ? 100 : Infinity, shown),
        yaxis,
        mode: "lines",
        line: { width: 0 },
        fill: "toself",
        fillcolor: charts.colour("band"),
        hoverinfo: "skip",
      },
      {
        x,
        y: curve.mean.map(shown),
        customdata: curve.mean.map((mean, at) => spread(mean, curve.deviation[at])?.toFixed(2) ?? ""),
        yaxis,
        mode: x.length > 60 ? "lines" : "lines+markers",
        marker: { size: 4 },
        line: { color: charts.colour("accent"), width: 2 },
        hovertemplate: "iteration %{x}: mean %{y:.2f} ± %{customdata}<extra></extra>",
      },
      {
        x,
        y: curve.best.map(shown),
        yaxis,
        mode: "lines",
        line: { color: charts.colour("text"), width: 1.5, shape: "hv" },
        hoverinfo: "skip",
      },
      {
        x: records.map((trial) => trial.iteration),
        y: records.map((trial) => shown(trial[name])),
        customdata: curve.records,
        yaxis,
        mode: "markers",
        marker: {
          color: charts.colour("ground"),
          size: 8,
          line: { color: charts.colour("text"), width: 1.5 },
        },
        hoverinfo: "none",
      },
      axes.marks(axis, x, curve.mean, null, { yaxis }, judged),
    ];
  };

  const figure = () => {
    const { curves } = blockqnn.summary;
    const reward = vertical(curves, "reward", "reward", { domain: [0.62, 1] });
    const accuracy = vertical(curves, "accuracy", measure.title(), { domain: [0.19, 0.57] });
    // A policy does not explore by epsilon: what it has left to decide is its entropy.
    const policy = curves.entropy.some((value) => value !== null);
    const exploration = policy ? "entropy" : "epsilon";
    const below = policy
      ? { domain: [0, 0.14], rangemode: "tozero" }
      : { domain: [0, 0.14], range: [-0.05, 1.05], tickvals: [0, 0.5, 1] };
    return {
      traces: [
        ...traces(curves, "reward", "y", reward),
        ...traces(curves, "accuracy", "y2", accuracy),
        {
          x: curves.iteration,
          y: curves[exploration],
          yaxis: "y3",
          mode: "lines",
          line: { color: charts.colour("muted"), width: 1.5, shape: "hv" },
          hovertemplate: `iteration %{x}: ${exploration} %{y}<extra></extra>`,
        },
      ],
      more: {
        xaxis: charts.axis("iteration", { anchor: "y3", rangemode: "tozero" }),
        yaxis: reward,
        yaxis2: accuracy,
        yaxis3: charts.axis(policy ? "entropy, nats" : "epsilon", below),
      },
    };
  };

  const build = () =>
    blockqnn.section(
      "curves",
      "Learning curves",
      "Mean of the trained and known blocks of each iteration with one standard deviation; the " +
        "thin line is the best so far, each circle a block that was the best when it came.",
      axes.toggle(),
      charts.place("curves-chart", 560, `Reward, ${measure.name} and exploration by iteration`, figure),
    );

  return { build };
})();
