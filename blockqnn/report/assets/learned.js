// What the agent would do next and why, in its own words.
blockqnn.learned = (() => {
  const { element, figuresTable, format } = blockqnn;

  const line = (title, cells) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "text" }, title),
      cells.map((cell) => element("td", {}, cell)),
    );

  const number = (value) => (value === null ? format.DASH : format.fixed(value, 3));

  const first = (found) =>
    figuresTable(
      ["first decision", "probability", found.value, found.visits, "trials"].filter(Boolean),
      found.next.map((row) =>
        line(row.title, [
          format.percent(row.probability),
          ...(found.value ? [number(row.value)] : []),
          ...(found.visits ? [String(row.visits)] : []),
          String(row.trials),
        ]),
      ),
    );

  // The heat map of `explain`: numbers on the colours of viridis, from the lowest to the highest.
  const map = (found) =>
    figuresTable(
      ["position", ...found.kinds],
      found.positions.map(({ position, mean, ground, ink }) => {
        const highest = Math.max(...mean.filter((value) => value !== null));
        return element(
          "tr",
          {},
          element("th", { scope: "row", class: "text" }, String(position)),
          mean.map((value, at) => {
            const words = number(value);
            const cell = element("td", { class: "heat" }, value === highest ? element("strong", {}, words) : words);
            cell.style.background = ground[at] ?? "";
            cell.style.color = ink[at] ?? "";
            return cell;
          }),
        );
      }),
    );

  const scale = ({ scale: steps }) => {
    const bar = element("span", { class: "heat-bar", "aria-hidden": "true" });
    bar.style.background = `linear-gradient(to right, ${steps.map(([, colour]) => colour).join(", ")})`;
    return element("p", { class: "caption" }, number(steps[0][0]), bar, number(steps[steps.length - 1][0]));
  };

  const heat = (found) => [
    element("h3", {}, `Heat map of each kind of decision by position`),
    element("p", { class: "caption" }, `A number is the ${found.note}; the highest of a position is in bold.`),
    map(found),
    scale(found),
  ];

  // What the agent would write, and what became of that; `words` turns a sentence into nodes.
  const wanted = (found, words) => {
    const became = element("p", {}, words(format.unbroken(found.became)));
    if (!found.code) return [became];
    const code = element("code", {}, found.code);
    return [element("p", { class: "learned-code" }, "Without exploring it would now write ", code), became];
  };

  const body = (found) => [
    element("p", { class: "caption" }, format.unbroken(`The agent is ${found.agent}. ${found.meaning}`)),
    first(found),
    wanted(found, blockqnn.links.linked),
    heat(found),
  ].flat();

  // The same of one of several runs: most of it is folded.
  const brief = (found) => [
    element("p", { class: "caption" }, `The agent is ${found.agent}.`),
    wanted(found, (text) => text),
    element(
      "details",
      {},
      element("summary", {}, "First decisions and heat map"),
      element("p", { class: "caption" }, format.unbroken(found.meaning)),
      first(found),
      heat(found),
    ),
  ];

  const show = () => {
    const { learned: found, findings } = blockqnn.summary;
    document.getElementById("learned").hidden = !found;
    const place = document.getElementById("learned-body");
    if (!found || !blockqnn.changed(place, [found, findings.early])) return;
    place.replaceChildren(...(findings.early ? [findings.early] : body(found)));
  };

  const build = () =>
    blockqnn.section("learned", "What the agent has learned", null, element("div", { id: "learned-body" }));

  return { brief, build, show };
})();
