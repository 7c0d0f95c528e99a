// The flags that the run was started with.
blockqnn.flags = (() => {
  const { element } = blockqnn;
  const show = () => {
    const node = document.getElementById("flags") ?? blockqnn.section("flags", "Flags", "", element("div", { class: "flags" }));
    const pairs = Object.entries(blockqnn.summary.flags);
    node.querySelector(".flags").replaceChildren(
      ...pairs.map(([name, value]) =>
        element("div", {}, element("span", {}, `--${name}`), element("code", {}, String(value))),
      ),
    );
    return node;
  };
  return { show };
})();
