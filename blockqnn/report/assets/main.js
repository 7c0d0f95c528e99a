// Puts the page together.
(() => {
  const payload = JSON.parse(document.getElementById("data").textContent);
  blockqnn.style = payload.style;
  const footer = (text) => {
    const charts = "Charts by plotly.js, MIT licence.";
    document.getElementById("footer").textContent = text ? `${text} ${charts}` : charts;
  };
  footer();
  if (payload.kind === "comparison") {
    blockqnn.comparison.build(payload.comparison);
    return;
  }

  blockqnn.statuses = payload.summary.statuses;
  blockqnn.summary = payload.summary;
  blockqnn.trials.merge(payload.trials);
  if (payload.drawings) blockqnn.drawing.give(payload.drawings);

  const heading = () => {
    const { name, flags, last_finished: last } = blockqnn.summary;
    if (last !== null) footer(`The last trial finished on ${blockqnn.format.moment(last)}.`);
    document.getElementById("title").textContent = name;
    document.getElementById("kicker").textContent = flags.agent
      ? `blockqnn report: ${flags.agent} on ${flags.dataset}, seed ${flags.seed}`
      : "blockqnn report";
  };

  document.getElementById("main").append(
    blockqnn.findings.show(),
    blockqnn.curves.build(),
    blockqnn.scatter.build(),
    blockqnn.gallery.show(),
    blockqnn.motifs.show(),
    blockqnn.distributions.build(),
    blockqnn.learned.build(),
    blockqnn.prediction.build(),
    ...blockqnn.spending.build(),
    blockqnn.table.build(),
    blockqnn.flags.show(),
  );

  blockqnn.showAll = () => {
    heading();
    blockqnn.findings.show();
    blockqnn.gallery.show();
    blockqnn.motifs.show();
    blockqnn.learned.show();
    blockqnn.prediction.show();
    blockqnn.spending.show();
    blockqnn.table.update();
    blockqnn.flags.show();
    blockqnn.charts.refresh();
  };

  heading();
  blockqnn.learned.show();
  blockqnn.prediction.show();
  blockqnn.spending.show();
  if (payload.live) blockqnn.live.start(payload);
})();
