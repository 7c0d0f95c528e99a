// The top of the page: what was found, in words and in a few figures.
blockqnn.findings = (() => {
  const { element, format, measure } = blockqnn;

  const tile = (name, value, note) =>
    element(
      "div",
      { class: "tile" },
      element("span", { class: "tile-name" }, name),
      element("span", { class: "tile-value" }, value),
      element("span", { class: "tile-note" }, note),
    );

  const trialLink = (number) => (number === null ? "" : blockqnn.links.trial(number));

  const tiles = (summary) => {
    const { finals, findings, spending } = summary;
    const winner = finals?.ended ? finals.rows[0] : null;
    const best = findings.best === null ? null : blockqnn.trials.get(findings.best);
    const accurate = findings.most_accurate === null ? null : blockqnn.trials.get(findings.most_accurate);
    return [
      tile("best reward", format.fixed(best?.reward), trialLink(findings.best)),
      tile(
        `best ${measure.name}`,
        accurate ? measure.words(accurate.accuracy) : format.DASH,
        trialLink(findings.most_accurate),
      ),
      ...(winner
        ? [
            tile(
              "won the finals",
              measure.words(winner.results.at(-1).accuracy),
              trialLink(winner.trial),
            ),
          ]
        : []),
      tile("blocks trained", format.count(findings.trained), `of ${format.count(findings.suggested)} suggested`),
      tile(
        "iterations",
        format.count(findings.iterations),
        findings.planned ? `of ${format.count(findings.planned)}` : "",
      ),
      tile(
        "device time",
        spending.span ? format.duration(spending.training + spending.waiting) : format.DASH,
        spending.lanes ? `on ${spending.lanes} at a time` : "nothing was trained",
      ),
    ];
  };

  const show = () => {
    const { summary } = blockqnn;
    const node = document.getElementById("findings") ?? element("section", { id: "findings" });
    const { findings } = summary;
    if (!blockqnn.changed(node, [findings, summary.finals, summary.spending, summary.reward])) return node;
    const sentence = (text) => element("p", {}, blockqnn.links.linked(format.unbroken(text)));
    node.replaceChildren(
      ...(findings.notice ? [element("p", { class: "notice" }, findings.notice)] : []),
      element("div", { class: "words" }, findings.sentences.map(sentence)),
      element("div", { class: "reward-words caption" }, summary.reward.map((text) => element("p", {}, text))),
      element("div", { class: "tiles" }, tiles(summary)),
    );
    return node;
  };

  return { show };
})();
