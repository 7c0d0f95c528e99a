// The best blocks, drawn.
blockqnn.gallery = (() => {
  const { element, format } = blockqnn;

  const figure = ({ number, svg }, rank) => {
    const trial = blockqnn.trials.get(number);
    const open = () => blockqnn.panel.pin(number, true);
    return element(
      "button",
      { type: "button", class: "block", "data-trial": number, on: { click: open } },
      element("span", { class: "drawing" }, blockqnn.drawing.parsed(svg) ?? trial.code),
      element("span", { class: "block-name" }, `${rank + 1}. trial ${number}`),
      element("span", {}, `reward ${format.fixed(trial.reward)}`),
      element("span", {}, `accuracy ${format.fixed(trial.accuracy)} %`),
      element("span", {}, `${format.units(trial.parameters)} parameters`),
      element("span", {}, `${format.units(trial.flops)} FLOPs`),
    );
  };

  let shown = "";

  const show = () => {
    const { top } = blockqnn.summary;
    const node =
      document.getElementById("best") ??
      blockqnn.section("best", "The best blocks", "By reward, best first.", element("div", { class: "gallery" }));
    const wanted = JSON.stringify(top);
    if (wanted !== shown) {
      shown = wanted;
      const figures = top.length ? top.map(figure) : ["No block has been trained yet."];
      node.querySelector(".gallery").replaceChildren(...figures);
    }
    return node;
  };

  return { show };
})();
