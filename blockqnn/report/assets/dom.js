// Elements of the page. Text becomes text nodes alone, so nothing of a store is ever read as HTML.
(() => {
  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "on") {
        for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
      } else if (value === true) {
        node.setAttribute(name, "");
      } else if (value !== false && value !== null && value !== undefined) {
        node.setAttribute(name, value);
      }
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return node;
  };

  blockqnn.element = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);

  blockqnn.svgElement = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  // Whether what a place shows is other than what it was last given; a place that stays as it is
  // keeps the reader's selection.
  const given = new WeakMap();
  blockqnn.changed = (node, data) => {
    const text = JSON.stringify(data);
    if (given.get(node) === text) return false;
    given.set(node, text);
    return true;
  };

  // A table of figures, the first column in words; it scrolls inside the page.
  blockqnn.figuresTable = (titles, rows) => {
    const { element } = blockqnn;
    const head = titles.map((title, place) =>
      element("th", { scope: "col", class: place === 0 ? "text" : "" }, title),
    );
    return element(
      "div",
      { class: "scroll" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, head)),
        element("tbody", {}, rows),
      ),
    );
  };

  // A section of the page with a heading and a sentence that says what is shown.
  blockqnn.section = (id, title, caption, ...children) => {
    const { element } = blockqnn;
    return element(
      "section",
      { id, "aria-labelledby": `${id}-title` },
      element("h2", { id: `${id}-title` }, title),
      caption ? element("p", { class: "caption" }, caption) : null,
      ...children,
    );
  };
})();
