// Finds the drawing of a trial's block: in the page, where all are packed, or at the server.
blockqnn.drawing = (() => {
  const { element } = blockqnn;
  let packed = null;

  const inflate = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Response(stream).text();
  };

  // Unpacked in portions, when the first of one is wanted: most are never looked at.
  const source = (drawings) => {
    const portions = [];
    return async (row) => {
      const place = drawings.of[row];
      const portion = Math.floor(place / drawings.portion);
      portions[portion] ??= inflate(drawings.packed[portion]).then(JSON.parse);
      return { flat: (await portions[portion])[place % drawings.portion], shapes: drawings.shapes };
    };
  };

  const give = (drawings) => {
    const unpacked = source(drawings);
    packed = (trial) => unpacked(blockqnn.trials.row(trial.number));
  };

  const take = (ask) => {
    packed = ask;
  };

  // An SVG text that this program wrote, as an element; nothing in it can run.
  const parsed = (text) => {
    if (!text) return null;
    const found = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    return found.nodeName === "svg" ? document.importNode(found, true) : null;
  };

  // A place that fills with the drawing of a trial's block, or with its code where there is none;
  // `marks` says what in it is to be marked.
  const draw = (trial, marks = null) => {
    const node = element("div", { class: "drawing" });
    const drawn = marks ? null : parsed(trial.svg);
    if (drawn) {
      node.append(drawn);
      return node;
    }
    const show = async () => {
      try {
        const found = await (trial.packed ?? packed)(trial);
        const title = `Block of trial ${trial.number}`;
        node.append(blockqnn.painting.paint(found.flat, found.shapes, title, marks));
      } catch {
        node.append(element("code", {}, trial.code));
      }
      node.dataset.ready = "true";
    };
    show();
    return node;
  };

  return { give, take, draw, parsed, inflate, source };
})();
