// How children learned: what judges them after each epoch.
blockqnn.epochs = (() => {
  const { axes, charts, measure } = blockqnn;
  const BEST = 5;
  const OTHERS = 200;

  // Trained children by reward, best first; those of one epoch have no curve.
  const children = () => {
    const trained = blockqnn.statuses.indexOf("trained");
    const [status, accuracies, rewards] = ["status", "accuracies", "reward"].map(blockqnn.trials.column);
    return [...status.keys()]
      .filter((row) => status[row] === trained && accuracies[row].length > 1)
      .sort((a, b) => rewards[b] - rewards[a] || a - b);
  };

  // Of many the curves of some, evenly by rank: a chart of thousands would be black.
  const thinned = (rows) => {
    if (rows.length <= OTHERS) return rows;
    return Array.from({ length: OTHERS }, (_, at) => rows[Math.floor((at * rows.length) / OTHERS)]);
  };

  // Curves one after another in a single trace, with a gap between two.
  const trace = (rows, more) => {
    const [accuracies, numbers] = ["accuracies", "number"].map(blockqnn.trials.column);
    const each = rows.flatMap((row) => [
      ...accuracies[row].map((value, at) => [at + 1, value, numbers[row]]),
      [null, null, null],
    ]);
    const [x, kept, customdata] = [0, 1, 2].map((at) => each.map((point) => point[at]));
    return { x, y: kept.map(measure.value), customdata, mode: "lines+markers", hoverinfo: "none", ...more };
  };

  const figure = () => {
    const rows = children();
    const others = thinned(rows.slice(BEST));
    const accuracies = blockqnn.trials.column("accuracies");
    const shown = [...rows.slice(0, BEST), ...others].flatMap((row) => accuracies[row]);
    const yaxis = charts.axis(measure.title(), axes.range(shown, [], true));
    const faint = { line: { color: charts.colour("muted"), width: 0.8 }, marker: { size: 3 }, opacity: 0.35 };
    const good = { line: { color: charts.colour("second"), width: 1.6 }, marker: { size: 5 } };
    const best = { line: { color: charts.colour("accent"), width: 2.4 }, marker: { size: 6 } };
    const rest = trace(others, faint);
    return {
      traces: [
        rest,
        trace(rows.slice(1, BEST), good),
        trace(rows.slice(0, 1), best),
        // Of the inverse the inverse is what the data have.
        axes.marks(yaxis, rest.x, rest.y.map(measure.value), rest.customdata, {}, true),
      ],
      more: { xaxis: charts.axis("epoch", { dtick: epochs(rows) > 12 ? undefined : 1 }), yaxis },
    };
  };

  const epochs = (rows) => {
    const accuracies = blockqnn.trials.column("accuracies");
    return rows.reduce((most, row) => Math.max(most, accuracies[row].length), 0);
  };

  const show = () => {
    document.getElementById("epochs").hidden = !children().length;
  };

  const build = () =>
    blockqnn.section(
      "epochs",
      "Children by epoch",
      `Validation ${measure.name} of trained children after each epoch: the best by reward in blue, the ` +
        `next four in orange, the others in grey, of many ${OTHERS} that are spread over the ranking.`,
      axes.toggle(),
      charts.place("epochs-chart", 320, `${measure.capital()} of children by epoch`, figure),
    );

  return { build, show };
})();
