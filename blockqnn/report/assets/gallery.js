// The best blocks, drawn.
blockqnn.gallery = (() => {
  const { element, format, measure } = blockqnn;

  // A block as a button that opens it, with its drawing and its figures, and a box to choose it.
  const figure = (trial, svg, title, { open, box = null, note = "" }) =>
    element("div", { class: "card" }, button(trial, svg, title, open, note), box);

  const button = (trial, svg, title, open, note) =>
    element(
      "button",
      { type: "button", class: "block", "data-trial": trial.number, on: { click: open } },
      element("span", { class: "drawing" }, blockqnn.drawing.parsed(svg) ?? trial.code),
      element("span", { class: "block-name" }, title),
      element("span", {}, `reward ${format.fixed(trial.reward)}`),
      element("span", {}, `${measure.name} ${measure.words(trial.accuracy)}`),
      element("span", {}, `${format.units(trial.parameters)} parameters`),
      element("span", {}, `${format.units(trial.flops)} FLOPs`),
      trial.filters ? element("span", {}, `filters ${trial.filters}`) : null,
      note ? element("span", { class: "muted" }, note) : null,
    );

  // By a trial's number its rank in finals that have ended.
  const ranks = () => {
    const { finals } = blockqnn.summary;
    return new Map(finals?.ended ? finals.rows.map(({ trial, rank }) => [trial, rank]) : []);
  };

  const ranked = (finals) => ({ number, svg, suggested }, rank) => {
    const trial = blockqnn.trials.get(number);
    return figure(trial, svg, `${rank + 1}. trial ${number}`, {
      open: () => blockqnn.panel.pin(number, true),
      box: blockqnn.compare.box(String(number), trial, `Trial ${number}`, rank),
      note: [
        suggested > 1 ? `suggested ${format.count(suggested)} times` : "",
        finals.has(number) ? `rank ${finals.get(number)} in the finals` : "",
      ]
        .filter(Boolean)
        .join("; "),
    });
  };

  let shown = "";

  const show = () => {
    const { top } = blockqnn.summary;
    const node =
      document.getElementById("best") ??
      blockqnn.section(
        "best",
        "The best blocks",
        "By reward, best first; each block once, those that repeat one behind them. A click opens a " +
          "block; two boxes show what differs between two.",
        element("div", { class: "gallery" }),
        ...blockqnn.compare.node(),
      );
    const finals = ranks();
    const wanted = JSON.stringify([top, [...finals]]);
    if (wanted !== shown) {
      shown = wanted;
      const figures = top.length ? top.map(ranked(finals)) : ["No block has been trained yet."];
      node.querySelector(".gallery").replaceChildren(...figures);
    }
    return node;
  };

  return { figure, show };
})();
