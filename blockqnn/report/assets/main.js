// Puts the page together.
(() => {
  const payload = JSON.parse(document.getElementById("data").textContent);
  const { element } = blockqnn;

  blockqnn.statuses = payload.summary.statuses;
  blockqnn.summary = payload.summary;
  blockqnn.style = payload.style;
  blockqnn.trials.merge(payload.trials);
  if (payload.drawings) blockqnn.drawing.give(payload.drawings);

  document.getElementById("kicker").textContent = "blockqnn, report of a run";
  document.getElementById("title").textContent = blockqnn.summary.name;
  document.getElementById("main").append(
    blockqnn.findings.show(blockqnn.summary),
    blockqnn.curves.build(),
    blockqnn.scatter.build(),
    blockqnn.gallery.show(),
    blockqnn.motifs.show(),
    blockqnn.distributions.build(),
    ...blockqnn.spending.build(),
    blockqnn.table.build(),
    blockqnn.flags.show(),
  );
  blockqnn.spending.show();
  blockqnn.live.start(payload);
})();
