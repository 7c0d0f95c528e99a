// The table of contents: a link to each section that is shown.
blockqnn.contents = (() => {
  const { element } = blockqnn;
  let shown = "";

  const show = () => {
    const sections = [...document.querySelectorAll("#main > section:not([hidden])")];
    const titles = sections
      .map((section) => [section.id, section.querySelector("h2")?.textContent])
      .filter(([, title]) => title);
    const wanted = JSON.stringify(titles);
    if (wanted === shown) return;
    shown = wanted;
    document
      .getElementById("contents")
      .replaceChildren(
        element(
          "ul",
          {},
          titles.map(([id, title]) => element("li", {}, element("a", { href: `#${id}` }, title))),
        ),
      );
  };

  return { show };
})();
