// A block in figures: as a card beside the pointer, and as a panel that stays.
blockqnn.panel = (() => {
  const { element, format } = blockqnn;
  let returnTo = null;

  const rows = (trial) => {
    const found = [
      ["status", trial.status + (trial.source ? `, as trial ${trial.source}` : "")],
      ["accuracy", `${format.fixed(trial.accuracy)} %`],
      ["reward", format.fixed(trial.reward)],
      ["parameters", format.units(trial.parameters)],
      ["FLOPs", format.units(trial.flops)],
      ["density", format.fixed(trial.density, 3)],
      ["depth", `${trial.depth} convolutions`],
      ["iteration", `${trial.iteration}, epsilon ${trial.epsilon}`],
    ];
    if (trial.seconds !== null) found.push(["device time", format.duration(trial.seconds)]);
    if (trial.accuracies.length) {
      found.push(["by epoch", trial.accuracies.map((value) => format.fixed(value, 1)).join("  ")]);
    }
    if (trial.reason) found.push(["reason", trial.reason]);
    return found;
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
    if (trial) show(trial, `Trial ${number}`, focus);
  };

  const show = (trial, title, focus) => {
    const panel = document.getElementById("panel");
    hide();
    if (panel.hidden) returnTo = document.activeElement;
    const copied = element("span", { role: "status" });
    const copy = async () => {
      // A page from disk may not be allowed to: then the text is selected to be copied by hand.
      try {
        await navigator.clipboard.writeText(trial.code);
        copied.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(panel.querySelector("code"));
        copied.textContent = "selected";
      }
    };
    panel.replaceChildren(
      element(
        "div",
        { class: "panel-head" },
        element("h2", {}, title),
        element("button", { type: "button", class: "close", on: { click: close } }, "Close"),
      ),
      blockqnn.drawing.draw(trial),
      figures(rows(trial)),
      element("code", { class: "code" }, trial.code),
      element(
        "p",
        {},
        element("button", { type: "button", class: "copy", on: { click: copy } }, "Copy code"),
        " ",
        copied,
      ),
    );
    panel.dataset.trial = trial.number;
    panel.hidden = false;
    panel.scrollTop = 0;
    if (focus) panel.focus();
  };

  function close() {
    const panel = document.getElementById("panel");
    panel.hidden = true;
    delete panel.dataset.trial;
    if (returnTo?.isConnected) returnTo.focus();
    returnTo = null;
  }

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.getElementById("panel").hidden) close();
  });

  return { preview, hide, pin, show, close };
})();
