// The best blocks, drawn.
blockqnn.gallery = (() => {
  const { element, format } = blockqnn;

  // A block as a button that opens it: its drawing and its figures.
  const figure = (trial, svg, title, open) =>
    element(
      "button",
      { type: "button", class: "block", "data-trial": trial.number, on: { click: open } },
      element("span", { class: "drawing" }, blockqnn.drawing.parsed(svg) ?? trial.code),
      element("span", { class: "block-name" }, title),
      element("span", {}, `reward ${format.fixed(trial.reward)}`),
      element("span", {}, `accuracy ${format.fixed(trial.accuracy)} %`),
      element("span", {}, `${format.units(trial.parameters)} parameters`),
      element("span", {}, `${format.units(trial.flops)} FLOPs`),
    );

  const ranked = ({ number, svg }, rank) =>
    figure(blockqnn.trials.get(number), svg, `${rank + 1}. trial ${number}`, () =>
      blockqnn.panel.pin(number, true),
    );

  let shown = "";

  const show = () => {
    const { top } = blockqnn.summary;
    const node =
      document.getElementById("best") ??
      blockqnn.section("best", "The best blocks", "By reward, best first.", element("div", { class: "gallery" }));
    const wanted = JSON.stringify(top);
    if (wanted !== shown) {
      shown = wanted;
      const figures = top.length ? top.map(ranked) : ["No block has been trained yet."];
      node.querySelector(".gallery").replaceChildren(...figures);
    }
    return node;
  };

  return { figure, show };
})();
