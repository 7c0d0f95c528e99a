// The table of all trials: sorted by a column, filtered, a page at a time.
blockqnn.table = (() => {
  const { element, format, measure, trials } = blockqnn;
  const PAGE = 25;
  // Name of the column, title, how a value is written, whether it is text.
  const COLUMNS = [
    ["number", "trial", format.count],
    ["iteration", "iteration", format.count],
    ["status", "status", (value) => blockqnn.statuses[value], true],
    ["reward", "reward", format.fixed],
    ["accuracy", null, (value) => measure.figure(value)],
    ["parameters", "parameters", format.units],
    ["flops", "FLOPs", format.units],
    ["filters", "filters", String, true],
    ["depth", "depth", format.count],
    ["seconds", "seconds", (value) => format.fixed(value, 1)],
    ["code", "code", String, true],
  ];
  // Filters are a column where each child has its own.
  const columns = () => COLUMNS.filter(([name]) => name !== "filters" || blockqnn.summary.flags.match);
  // By these a block would fill the ranking with its repeats.
  const FIGURES = ["reward", "accuracy", "parameters", "flops", "depth", "seconds"];
  const state = { by: "reward", descending: true, words: "", status: "", repeats: "behind", page: 0 };
  let shown = [];
  let body, head, where, previous, next;

  const compare = (values) => (a, b) => {
    const [left, right] = [values[a], values[b]];
    // What has no value comes last, whichever way the table is sorted.
    if (left === null || right === null) return (left === null) - (right === null) || a - b;
    const order = left < right ? -1 : left > right ? 1 : 0;
    return (state.descending ? -order : order) || a - b;
  };

  // The rows of blocks that stand in another row already: that of the best trained trial, or of the
  // first where none was trained.
  const repeats = () => {
    const [design, status, reward] = ["design", "status", "reward"].map(trials.column);
    const trained = blockqnn.statuses.indexOf("trained");
    const first = new Map();
    const worth = (row) => (status[row] === trained ? reward[row] : -Infinity);
    for (let row = 0; row < trials.size; row += 1) {
      const other = first.get(design[row]);
      if (other === undefined || worth(row) > worth(other)) first.set(design[row], row);
    }
    return Array.from(design, (name, row) => first.get(name) !== row);
  };

  const select = () => {
    const [code, reason, status, number] = ["code", "reason", "status", "number"].map(trials.column);
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = state.status === "" ? null : Number(state.status);
    const again = state.repeats === "in place" ? [] : repeats();
    shown = [...Array(trials.size).keys()].filter(
      (row) =>
        !(state.repeats === "hidden" && again[row]) &&
        (wanted === null || status[row] === wanted) &&
        words.every(
          (word) =>
            code[row].includes(word) ||
            `#${number[row]}` === word ||
            (reason[row] ?? "").toLowerCase().includes(word),
        ),
    );
    const order = compare(trials.column(state.by));
    const behind = state.repeats === "behind" && FIGURES.includes(state.by);
    shown.sort((a, b) => (behind && again[a] - again[b]) || order(a, b));
  };

  const row = (at) => {
    const number = trials.column("number")[at];
    const reason = trials.column("reason")[at];
    return element(
      "tr",
      { tabindex: 0, "data-trial": number },
      columns().map(([name, , write, text]) => {
        const value = trials.column(name)[at];
        const words = value === null ? format.DASH : write(value);
        if (name === "number") {
          return element("td", {}, blockqnn.links.trial(value, words, { tabindex: -1 }));
        }
        if (name !== "code") return element("td", { class: text ? "text" : "" }, words);
        // A long code is cut short here; its block shows all of it.
        return element(
          "td",
          { class: "text" },
          element("span", { class: "short" }, words),
          reason ? element("span", { class: "reason short" }, reason) : null,
        );
      }),
    );
  };

  const show = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * PAGE;
    body.replaceChildren(...shown.slice(from, from + PAGE).map(row));
    where.textContent = shown.length
      ? `${format.count(from + 1)}–${format.count(Math.min(from + PAGE, shown.length))} of ${format.count(shown.length)}`
      : "no trial matches";
    previous.disabled = state.page === 0;
    next.disabled = state.page === pages - 1;
    for (const cell of head.children) {
      const sorted = cell.dataset.column === state.by;
      cell.setAttribute("aria-sort", sorted ? (state.descending ? "descending" : "ascending") : "none");
    }
  };

  const update = () => {
    select();
    show();
  };

  const turn = (by) => () => {
    state.page += by;
    show();
  };

  const sortBy = (name, text) => () => {
    state.descending = state.by === name ? !state.descending : !text && name !== "number";
    state.by = name;
    state.page = 0;
    update();
  };

  const change = (name) => (event) => {
    state[name] = event.target.value;
    state.page = 0;
    update();
  };

  const build = () => {
    head = element(
      "tr",
      {},
      columns().map(([name, title, , text]) =>
        element(
          "th",
          { scope: "col", "data-column": name, class: text ? "text" : "" },
          element("button", { type: "button", on: { click: sortBy(name, text) } }, title ?? measure.title()),
        ),
      ),
    );
    const open = (event, focus) => {
      const number = event.target.closest("tr")?.dataset.trial;
      if (number) blockqnn.panel.pin(Number(number), focus);
    };
    body = element("tbody", {
      on: {
        click: (event) => open(event, false),
        keydown: (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          open(event, true);
        },
      },
    });
    previous = element("button", { type: "button", on: { click: turn(-1) } }, "Previous");
    next = element("button", { type: "button", on: { click: turn(1) } }, "Next");
    where = element("span", { id: "where", role: "status" });
    const node = blockqnn.section(
      "trials",
      "All trials",
      "A click on a row, or Enter, shows its block; a column's title sorts. A block that was " +
        "suggested again stands behind all others where figures are sorted.",
      element(
        "div",
        { class: "filters" },
        element(
          "label",
          {},
          "Find ",
          element("input", {
            type: "search",
            id: "find",
            placeholder: "part of a code or reason, or #17",
            on: { input: change("words") },
          }),
        ),
        element(
          "label",
          {},
          "Status ",
          element(
            "select",
            { id: "status", on: { change: change("status") } },
            element("option", { value: "" }, "all"),
            blockqnn.statuses.map((name, index) =>
              name === "running" ? null : element("option", { value: index }, name),
            ),
          ),
        ),
        element(
          "label",
          {},
          "Repeated blocks ",
          element(
            "select",
            { id: "repeats", on: { change: change("repeats") } },
            ["behind", "in place", "hidden"].map((name) => element("option", { value: name }, name)),
          ),
        ),
        blockqnn.csv.button(),
        element("span", { class: "pages" }, previous, where, next),
      ),
      element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), body)),
    );
    update();
    return node;
  };

  return { build, update };
})();
