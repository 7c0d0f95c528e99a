// A block in figures: as a card beside the pointer, and as a panel that stays.
blockqnn.panel = (() => {
  const { element, format, measure } = blockqnn;
  let returnTo = null;

  const rows = (trial) => {
    const found = [
      ["status", trial.status + (trial.source ? `, as trial ${trial.source}` : "")],
      [measure.name, measure.words(trial.accuracy)],
      ["reward", format.fixed(trial.reward)],
      ["parameters", format.units(trial.parameters)],
      ["FLOPs", format.units(trial.flops)],
      ...(trial.filters ? [["filters", trial.filters]] : []),
      ["density", format.fixed(trial.density, 3)],
      ["depth", `${trial.depth} convolutions`],
      ["iteration", `${trial.iteration}, epsilon ${trial.epsilon}`],
    ];
    if (trial.seconds !== null) found.push(["device time", format.duration(trial.seconds)]);
    if (trial.accuracies.length) {
      found.push(["by epoch", trial.accuracies.map((value) => measure.figure(value, 1)).join("  ")]);
    }
    found.push(...finals(trial));
    if (trial.reason) found.push(["reason", trial.reason]);
    return found;
  };

  // What became of it in the finals; the page of several runs has no rows of them.
  const finals = ({ number }) => {
    const row = blockqnn.summary?.finals?.rows.find(({ trial }) => trial === number);
    if (!row) return [];
    return [
      ...(row.words ? [["finals", row.words]] : []),
      ...row.reasons.map((reason) => ["failed there", reason]),
    ];
  };

  const figures = (pairs) =>
    element(
      "dl",
      {},
      pairs.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );

  const preview = (number, x, y) => {
    const trial = blockqnn.trials.get(number);
    const card = document.getElementById("card");
    if (!trial) return;
    card.replaceChildren(
      element("h3", {}, `Trial ${number}`),
      blockqnn.drawing.draw(trial),
      figures(rows(trial).slice(1, 5)),
    );
    card.hidden = false;
    const { width, height } = card.getBoundingClientRect();
    const left = x + 16 + width > innerWidth ? x - 16 - width : x + 16;
    card.style.left = `${Math.max(4, left)}px`;
    card.style.top = `${Math.max(4, Math.min(y - height / 2, innerHeight - height - 4))}px`;
  };

  const hide = () => {
    document.getElementById("card").hidden = true;
  };

  const pin = (number, focus = false) => {
    const trial = blockqnn.trials.get(number);
    if (!trial) return false;
    const { commands } = blockqnn.summary;
    show(trial, `Trial ${number}`, { focus, name: `trial-${number}`, commands });
    return true;
  };

  // A button that copies the text of a node.
  const copier = (node, words) => {
    const copied = element("span", { role: "status" });
    const copy = async () => {
      // A page from disk may not be allowed to: then the text is selected to be copied by hand.
      try {
        await navigator.clipboard.writeText(node().textContent);
        copied.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(node());
        copied.textContent = "selected";
      }
    };
    return [element("button", { type: "button", class: "copy", on: { click: copy } }, words), " ", copied];
  };

  // What to type next, each with a button that copies it.
  const next = (trial, { place, lines }) =>
    element(
      "section",
      { class: "next", "aria-label": "Next" },
      element("h3", {}, "Next"),
      lines.map(({ title, command }) => {
        const code = element("code", {}, command.replaceAll(place, String(trial.number)));
        return element("div", {}, element("p", {}, title, copier(() => code, "Copy")), code);
      }),
    );

  const show = (trial, title, { focus = false, name = "", commands = null }) => {
    const panel = document.getElementById("panel");
    hide();
    if (panel.hidden) returnTo = document.activeElement;
    const code = element("code", { class: "code" }, trial.code);
    panel.replaceChildren(
      element(
        "div",
        { class: "panel-head" },
        element("h2", {}, title),
        element("button", { type: "button", class: "close", on: { click: close } }, "Close"),
      ),
      blockqnn.drawing.draw(trial),
      figures(rows(trial)),
      code,
      element("p", {}, copier(() => code, "Copy code")),
      commands ? next(trial, commands) : "",
    );
    blockqnn.links.set(name);
    panel.dataset.trial = trial.number;
    panel.hidden = false;
    panel.scrollTop = 0;
    if (focus) panel.focus();
  };

  function close() {
    const panel = document.getElementById("panel");
    panel.hidden = true;
    delete panel.dataset.trial;
    blockqnn.links.set("");
    if (returnTo?.isConnected) returnTo.focus();
    returnTo = null;
  }

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.getElementById("panel").hidden) close();
  });

  return { preview, hide, pin, show, close };
})();
