// What the best blocks have in common, compared with all trained ones.
blockqnn.motifs = (() => {
  const { element, svgElement, format } = blockqnn;
  const WIDTH = 220;
  const HEIGHT = 18;

  // Shares from 0 to 100 %: all blocks as a hollow mark, the best as a full one with its interval.
  const marks = (row, { top, all }) => {
    const x = (share) => 6 + share * (WIDTH - 12);
    const middle = HEIGHT / 2;
    return svgElement(
      "svg",
      { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "marks", "aria-hidden": "true" },
      svgElement("line", { x1: x(0), x2: x(1), y1: middle, y2: middle, class: "scale" }),
      svgElement("line", {
        x1: x(row.interval[0]),
        x2: x(row.interval[1]),
        y1: middle,
        y2: middle,
        class: "interval",
      }),
      svgElement("circle", { cx: x(row.top / top), cy: middle, r: 4.5, class: "best" }),
      svgElement("rect", { x: x(row.all / all) - 3.5, y: middle - 3.5, width: 7, height: 7, class: "all" }),
    );
  };

  const pValue = (value) => {
    if (value === null) return format.DASH;
    return value < 0.001 ? "< 0.001" : format.fixed(value, 3);
  };

  const line = (row, found) =>
    element(
      "tr",
      { class: row.corrected !== null && row.corrected < 0.05 ? "clear" : "" },
      element("th", { scope: "row", class: "text" }, row.name),
      element("td", {}, `${row.top} of ${found.top}`),
      element("td", {}, format.percent(row.top / found.top)),
      element("td", {}, format.percent(row.all / found.all)),
      element("td", { class: "text" }, marks(row, found)),
      element("td", {}, row.interval.map((share) => Math.round(100 * share)).join("–") + " %"),
      element("td", {}, pValue(row.corrected)),
    );

  const show = () => {
    const found = blockqnn.summary.motifs;
    const node =
      document.getElementById("motifs") ??
      blockqnn.section(
        "motifs",
        "What the best have in common",
        "Motifs of the best blocks (dot, with the 95 % interval of the share) and of all trained " +
          "blocks (square). p: Fisher's exact test of the best against the others, corrected by Holm; " +
          "below 0.05 in bold. Late blocks resemble one another, so take it as a hint, not as proof.",
        element("div", { class: "scroll" }),
      );
    const { early } = blockqnn.summary.findings;
    if (!blockqnn.changed(node, [found, early])) return node;
    node.querySelector(".caption").hidden = Boolean(early);
    if (early) {
      node.querySelector(".scroll").replaceChildren(early);
      return node;
    }
    const titles = ["motif", "best", "share", "all", "", "95 %", "p"];
    node.querySelector(".scroll").replaceChildren(
      found.rows.length
        ? element(
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
            element("tbody", {}, found.rows.map((row) => line(row, found))),
          )
        : "No block has been trained yet.",
    );
    return node;
  };

  return { show };
})();
