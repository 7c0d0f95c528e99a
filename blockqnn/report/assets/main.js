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
    blockqnn.measure.take(payload.comparison.measure);
    blockqnn.comparison.build(payload.comparison);
    return;
  }

  blockqnn.statuses = payload.summary.statuses;
  blockqnn.summary = payload.summary;
  blockqnn.measure.take(payload.summary.measure);
  blockqnn.trials.merge(payload.trials);
  if (payload.live) {
    blockqnn.live.start(payload);
  } else {
    blockqnn.drawing.give(payload.drawings);
    blockqnn.compare.give(payload.differences);
    blockqnn.csv.give(payload.csv);
  }

  const heading = () => {
    const { name, flags, last_finished: last } = blockqnn.summary;
    if (last !== null) footer(`The last trial finished on ${blockqnn.format.moment(last)}.`);
    document.getElementById("title").textContent = name;
    // A mixture is searched by gradient, and no agent suggests anything.
    const who = flags.weights === "mixture" ? "mixture" : flags.agent;
    document.getElementById("kicker").textContent = who
      ? `blockqnn report: ${who} on ${flags.dataset}, seed ${flags.seed}`
      : "blockqnn report";
  };

  document.getElementById("main").append(
    blockqnn.state.show(),
    blockqnn.findings.show(),
    blockqnn.finals.build(),
    blockqnn.supernet.build(),
    blockqnn.curves.build(),
    blockqnn.scatter.build(),
    blockqnn.epochs.build(),
    blockqnn.gallery.show(),
    blockqnn.motifs.show(),
    blockqnn.distributions.build(),
    blockqnn.learned.build(),
    blockqnn.mixture.build(),
    blockqnn.prediction.build(),
    ...blockqnn.spending.build(),
    blockqnn.table.build(),
    blockqnn.flags.show(),
  );

  blockqnn.showAll = () => {
    heading();
    blockqnn.state.show();
    blockqnn.findings.show();
    blockqnn.gallery.show();
    blockqnn.motifs.show();
    hiding();
    blockqnn.table.update();
    blockqnn.flags.show();
    blockqnn.charts.refresh();
    blockqnn.links.follow();
  };

  // Sections that some runs do not have, and the contents, which name those that are shown.
  const hiding = () => {
    blockqnn.finals.show();
    blockqnn.supernet.show();
    blockqnn.epochs.show();
    blockqnn.learned.show();
    blockqnn.mixture.show();
    blockqnn.prediction.show();
    blockqnn.spending.show();
    blockqnn.contents.show();
  };

  heading();
  hiding();
  blockqnn.links.opens("trial-", (number) => blockqnn.panel.pin(number, true));
  blockqnn.links.follow();
  if (payload.live) blockqnn.live.poll();
})();
