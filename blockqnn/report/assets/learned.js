// What the agent would do next and why, in its own words.
blockqnn.learned = (() => {
  const { element, format } = blockqnn;

  const table = (titles, rows) =>
    element(
      "div",
      { class: "scroll" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            titles.map((title, index) =>
              element("th", { scope: "col", class: index === 0 ? "text" : "" }, title),
            ),
          ),
        ),
        element("tbody", {}, rows),
      ),
    );

  const line = (title, cells) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "text" }, title),
      cells.map((cell) => element("td", {}, cell)),
    );

  const number = (value) => (value === null ? format.DASH : format.fixed(value, 3));

  const first = (found) =>
    table(
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

  const map = (found) =>
    table(
      ["position", ...found.kinds],
      found.positions.map(({ position, mean }) => {
        const highest = Math.max(...mean.filter((value) => value !== null));
        return line(
          String(position),
          mean.map((value) =>
            value === highest ? element("strong", {}, number(value)) : number(value),
          ),
        );
      }),
    );

  const show = () => {
    const found = blockqnn.summary.learned;
    document.getElementById("learned").hidden = !found;
    if (!found) return;
    const shown = found.value || "probability";
    document.getElementById("learned-body").replaceChildren(
      element("p", { class: "caption" }, format.unbroken(`The agent is ${found.agent}. ${found.meaning}`)),
      first(found),
      element("p", { class: "learned-code" }, "Without exploring it would now write ", element("code", {}, found.code)),
      element("p", {}, format.unbroken(found.became)),
      element("h3", {}, `Mean ${shown} of each kind of decision by position, the best in bold`),
      map(found),
    );
  };

  const build = () =>
    blockqnn.section("learned", "What the agent has learned", null, element("div", { id: "learned-body" }));

  return { build, show };
})();
