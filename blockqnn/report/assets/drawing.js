// Drawings of blocks: those of the best come drawn, all others are drawn here.
blockqnn.drawing = (() => {
  const { element } = blockqnn;

  // The drawing of a trial's block; `compact` is its arrangement, or nothing.
  const draw = (trial) => element("p", { class: "caption" }, trial.code);

  // An SVG text that this program wrote, as an element; nothing in it can run.
  const parsed = (text) => {
    if (!text) return null;
    const found = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    return found.nodeName === "svg" ? document.importNode(found, true) : null;
  };

  return { draw, parsed };
})();
