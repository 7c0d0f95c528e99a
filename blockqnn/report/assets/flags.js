// The flags that the run was started with.
blockqnn.flags = (() => {
  const { element } = blockqnn;

  const list = (title, flags) =>
    Object.keys(flags).length
      ? [
          element("h3", { class: "flags-title" }, title),
          element(
            "div",
            { class: "flags" },
            Object.entries(flags).map(([name, value]) =>
              element("div", {}, element("span", {}, `--${name}`), element("code", {}, String(value))),
            ),
          ),
        ]
      : [];

  const show = () => {
    const node =
      document.getElementById("flags") ?? blockqnn.section("flags", "Flags", null, element("div"));
    const { flags, carried_out: carriedOut } = blockqnn.summary;
    node.lastChild.replaceChildren(
      ...list("What the search is", flags),
      ...list("How it was carried out, the last time", carriedOut),
    );
    return node;
  };

  return { show };
})();
