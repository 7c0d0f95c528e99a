// How the search is: whether it runs, who trains what, what failed, how long it will take.
blockqnn.state = (() => {
  const { element, format } = blockqnn;

  const counted = (count, noun) => `${format.count(count)} ${noun}${count === 1 ? "" : "s"}`;

  const workers = (found) => {
    const total = Object.values(found.workers).reduce((sum, count) => sum + count, 0);
    if (!total) return "no worker is ready yet";
    const parts = Object.entries(found.workers).map(([state, count]) => `${format.count(count)} ${state}`);
    return `${counted(total, "worker")}: ${parts.join(", ")}`;
  };

  const children = (found) => {
    if (!found.children.length) return "none at this moment";
    const each = found.children.map(
      ({ trial, seconds, worker, device }) =>
        `trial ${trial} for ${format.duration(seconds)} on worker ${worker}${device ? ` (${device})` : ""}`,
    );
    if (found.more) each.push(`and ${format.count(found.more)} more`);
    return each.join("; ");
  };

  const facts = (found) => {
    const pairs = [
      ["workers", workers(found)],
      ["in training", children(found)],
      ["failed", counted(found.failed, found.name === "finals" ? "training" : "trial")],
      ["time left", found.left === null ? "not known yet" : `about ${format.duration(found.left)}`],
    ];
    return element(
      "dl",
      {},
      pairs.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );
  };

  const show = (found = blockqnn.summary.state) => {
    const node = document.getElementById("state") ?? element("section", { id: "state", "aria-label": "The search" });
    if (!blockqnn.changed(node, found)) return node;
    const when = blockqnn.live.on ? "" : ` As of ${format.moment(found.seen)}.`;
    node.dataset.state = found.name;
    node.replaceChildren(
      element(
        "p",
        {},
        element("span", { class: "badge" }, found.name),
        element("span", { class: "state-words" }, found.words, found.name === "finished" ? "" : when),
      ),
      ...(["running", "finals"].includes(found.name) ? [facts(found)] : []),
    );
    return node;
  };

  return { show };
})();
