// Two chosen blocks side by side, with what only one of them has marked.
blockqnn.compare = (() => {
  const { element, figuresTable, format, measure } = blockqnn;
  const FIGURES = [
    ["reward", "reward", (value) => format.fixed(value)],
    ["accuracy", null, (value) => format.fixed(value)],
    ["parameters", "parameters", format.units],
    ["flops", "FLOPs", format.units],
    ["filters", "filters", (value) => value ?? format.DASH],
    ["depth", "depth", format.count],
    ["density", "density", (value) => format.fixed(value, 3)],
  ];
  // What is drawn to be chosen: a trial, its title and its place among those that can be compared.
  const cards = new Map();
  let chosen = [];
  let differences = null;

  // Marks of the first and second, the first and third and so on, as Python has written them.
  const give = ({ count, pairs }) => {
    differences = async (first, second) => {
      const [a, b] = [first, second].map(({ place }) => place);
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const found = pairs[low * count - (low * (low + 1)) / 2 + high - low - 1];
      return a < b ? found : [found[1], found[0], found[3], found[2]];
    };
    differences.most = count;
  };

  const take = (ask) => {
    differences = (first, second) => ask(first.trial.number, second.trial.number);
    differences.most = Infinity;
  };

  // A bar that stays in sight while cards are chosen, and the place of the comparison behind them.
  const node = () => [
    element("div", { id: "choice", "aria-live": "polite" }),
    element("div", { id: "compared" }),
  ];

  const bar = (first, second) => {
    const look = () => document.getElementById("compared").scrollIntoView({ block: "start" });
    const button = (words, click) => element("button", { type: "button", on: { click } }, words);
    if (!first) return [];
    const words = second
      ? [`${first.title} and ${second.title} are chosen.`, button("See what differs", look)]
      : [`${first.title} is chosen; choose another one to compare it with.`, button("Clear", clear)];
    return [element("p", {}, words)];
  };

  const clear = () => {
    chosen = [];
    check();
    show();
  };

  const side = (card, mark, letter, marks) =>
    element(
      "figure",
      {},
      element(
        "figcaption",
        { class: mark },
        element("span", { class: "sign" }, letter),
        card.title,
        element("span", { class: "muted" }, mark === "removed" ? " (− only here)" : " (+ only here)"),
      ),
      blockqnn.drawing.draw(card.trial, marks),
    );

  const change = (name, write, a, b) => {
    if (a === null || b === null || a === b) return a === b ? "equal" : format.DASH;
    if (name === "filters") return "";
    const part = ["parameters", "flops"].includes(name) ? ` (${b > a ? "+" : "−"}${format.percent(Math.abs(b / a - 1))})` : "";
    return `${b > a ? "+" : "−"}${write(Math.abs(b - a))}${part}`;
  };

  const figures = (first, second) =>
    figuresTable(
      ["", "A", "B", "B − A"],
      FIGURES.map(([name, title, write]) => {
        const judged = name === "accuracy";
        const [a, b] = [first, second].map(({ trial }) => (judged ? measure.value(trial[name]) : trial[name]));
        // Where all children have the filters of the run, they are no figure of a block.
        if (name === "filters" && !a && !b) return null;
        return element(
          "tr",
          {},
          element("th", { scope: "row", class: "text" }, judged ? measure.title() : title),
          [write(a), write(b), change(name, write, a, b)].map((text) => element("td", {}, text)),
        );
      }),
    );

  const words = (marks) =>
    marks.some((part) => part.length)
      ? "Dashed red with − is what only A has, green with + what only B has."
      : "Both are the same block.";

  const show = async () => {
    const place = document.getElementById("compared");
    if (!place) return;
    const [first, second] = chosen.map((key) => cards.get(key));
    const wanted = chosen.join(" ");
    place.dataset.of = wanted;
    document.getElementById("choice").replaceChildren(...bar(first, second));
    if (!second) {
      place.replaceChildren();
      place.dataset.ready = "true";
      return;
    }
    place.dataset.ready = "false";
    const marks = await differences(first, second).catch(() => [[], [], [], []]);
    if (place.dataset.of !== wanted) return;
    place.replaceChildren(
      element(
        "div",
        { class: "compared-head" },
        element("h3", {}, `${first.title} and ${second.title}`),
        element("button", { type: "button", on: { click: clear } }, "Clear"),
      ),
      element("p", { class: "caption" }, words(marks)),
      element(
        "div",
        { class: "sides" },
        side(first, "removed", "A", { mark: "removed", nodes: marks[0], edges: marks[2] }),
        side(second, "added", "B", { mark: "added", nodes: marks[1], edges: marks[3] }),
        figures(first, second),
      ),
    );
    place.dataset.ready = "true";
  };

  const check = () => {
    for (const box of document.querySelectorAll(".choose input")) box.checked = chosen.includes(box.value);
  };

  const choose = (event) => {
    const { checked, value } = event.target;
    chosen = chosen.filter((key) => key !== value);
    // The third takes the place of the first.
    if (checked) chosen = [...chosen.slice(-1), value];
    check();
    show();
  };

  // The box by which a card is chosen; none where there is nothing to compare by.
  const box = (key, trial, title, place) => {
    if (!differences || place >= differences.most) return null;
    cards.set(key, { trial, title, place });
    const checked = chosen.includes(key);
    return element(
      "label",
      { class: "choose" },
      element("input", { type: "checkbox", value: key, checked, "aria-label": `compare ${title}`, on: { change: choose } }),
      " compare",
    );
  };

  return { give, take, node, box, show };
})();
