// The page of several runs: groups that differ in more than the seed, side by side.
blockqnn.comparison = (() => {
  const { element, figuresTable, format, measure } = blockqnn;
  const { key } = blockqnn.comparisonCurves;
  const blocksOf = new Map();
  let data = null;

  const judged = (name) => name.endsWith("accuracy");

  const plusMinus = (name, write, { mean, deviation }) => {
    if (mean === null) return format.DASH;
    const spread = judged(name) ? measure.spread(mean, deviation) : deviation;
    return valued(name, write, mean) + (spread === null ? "" : ` ± ${write(spread)}`);
  };

  const valued = (name, write, value) => write(judged(name) ? measure.value(value) : value);

  let figures = [];
  const FIGURES = [
    ["best_reward", "best reward", (value) => format.fixed(value)],
    ["best_accuracy", () => measure.title(`best ${measure.name}`), (value) => format.fixed(value)],
    ["final_accuracy", () => measure.title("best of finals"), (value) => format.fixed(value)],
    ["trained", "blocks trained", (value) => format.fixed(value, Number.isInteger(value) ? 0 : 1)],
    ["seconds", "device time", (value) => format.duration(value)],
    ["supernet_seconds", "of it supernets", (value) => format.duration(value)],
    ["finals_seconds", "of it finals", (value) => format.duration(value)],
    ["tau_scores", "tau of scores", (value) => format.fixed(value)],
    ["tau_parameters", "tau of parameters", (value) => format.fixed(value)],
  ];

  const unfinished = (words) => element("span", { class: "mark" }, words);

  // Where accuracies are of several kinds, nobody must take one for another.
  const kinds = () => new Set(data.groups.map((group) => group.kind)).size > 1;

  const groupsTable = () =>
    figuresTable(
      ["group", ...(kinds() ? ["weights"] : []), "runs", ...figures.map(([, title]) => title)],
      data.groups.map((group, index) =>
        element(
          "tr",
          {},
          element("th", { scope: "row", class: "text" }, key(index), group.name),
          kinds() ? element("td", {}, group.kind) : [],
          element("td", {}, String(group.count), group.unfinished ? unfinished(`${group.unfinished} unfinished`) : ""),
          figures.map(([name, , write]) => element("td", {}, plusMinus(name, write, group.figures[name]))),
        ),
      ),
    );

  const flagsTable = () =>
    data.differing.length
      ? figuresTable(
          ["flag", ...data.groups.map((group, index) => key(index))],
          data.differing.map(({ name, values }) =>
            element(
              "tr",
              {},
              element("th", { scope: "row", class: "text" }, `--${name}`),
              values.map((value) => element("td", {}, value)),
            ),
          ),
        )
      : element("p", {}, "None: the runs differ in the seed alone.");

  const trialAt = (columns, at) => {
    const trial = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[at]]));
    return { ...trial, status: data.statuses[trial.status] };
  };

  const inWords = (run, name, title, write) => {
    const [words, unit] = title.split(", ");
    const value = run.figures[name];
    return `${words} ${value === null ? format.DASH : valued(name, write, value)}${unit ? ` ${unit}` : ""}`;
  };

  let place = 0;

  const runBlocks = (run, index) => {
    const packed = blockqnn.drawing.source(run.drawings);
    const blocks = run.best.map(({ number, svg }, at) => {
      const trial = { ...trialAt(run.trials, at), packed: () => packed(at) };
      const show = (focus) =>
        blockqnn.panel.show({ ...trial, svg }, `${run.name}#${number}`, {
          focus,
          name: `run-${index + 1}-trial-${number}`,
          commands: run.commands,
        });
      blocksOf.set(`${index + 1} ${number}`, show);
      return blockqnn.gallery.figure(trial, svg, `${at + 1}. trial ${number}`, {
        open: () => show(true),
        box: blockqnn.compare.box(`${index}-${number}`, trial, `${run.name}#${number}`, place++),
      });
    });
    blockqnn.links.opens(`run-${index + 1}-trial-`, (number) => {
      const show = blocksOf.get(`${index + 1} ${number}`);
      if (show) show(true);
      return Boolean(show);
    });
    return element(
      "div",
      { class: "run" },
      element("h3", {}, key(run.group), run.name, run.unfinished ? unfinished(run.unfinished) : ""),
      element(
        "p",
        { class: "caption" },
        `seed ${run.seed}: ${figures.map((figure) => inWords(run, ...figure)).join(", ")}`,
      ),
      element("div", { class: "gallery" }, blocks.length ? blocks : "No block has been trained yet."),
    );
  };

  const runLearned = (run) => {
    const title = element("h3", {}, key(run.group), run.name, run.unfinished ? unfinished(run.unfinished) : "");
    if (!run.learned || run.early) {
      return element("div", { class: "run" }, title, element("p", {}, run.early ?? "Its agent has learned nothing yet."));
    }
    return element("div", { class: "run" }, title, blockqnn.learned.brief(run.learned));
  };

  const build = (found) => {
    data = found;
    // Finals, supernets and checks are told of where there are some.
    const always = ["best_reward", "best_accuracy", "trained", "seconds"];
    const known = (name) => data.groups.some((group) => group.figures[name].mean !== null);
    const written = (title) => (typeof title === "function" ? title() : title);
    figures = FIGURES.filter(([name]) => always.includes(name) || known(name)).map(
      ([name, title, write]) => [name, written(title), write],
    );
    if (data.differences.count > 1) blockqnn.compare.give(data.differences);
    document.getElementById("kicker").textContent = "blockqnn report";
    document.getElementById("title").textContent = `${data.runs.length} runs compared`;
    document.getElementById("main").append(
      element(
        "section",
        { id: "findings" },
        data.notice ? element("p", { class: "notice" }, data.notice) : null,
        element("div", { class: "words" }, data.sentences.map((text) => element("p", {}, text))),
      ),
      blockqnn.section(
        "groups",
        "Groups",
        "Runs whose flags differ in the seed alone. Mean ± standard deviation over the seeds.",
        groupsTable(),
      ),
      blockqnn.comparisonCurves.build(data),
      data.runs.some((run) => run.weights.length)
        ? blockqnn.section(
            "weights",
            "Weights that designs share",
            null,
            data.runs
              .filter((run) => run.weights.length)
              .map((run) => element("div", {}, element("h3", {}, key(run.group), run.name), element("p", {}, run.weights.join(" ")))),
          )
        : [],
      blockqnn.section("learned", "What the agent has learned", null, data.runs.map(runLearned)),
      blockqnn.section("differing", "Flags that differ between groups", null, flagsTable()),
      blockqnn.section(
        "best",
        "The best blocks of each run",
        data.differences.count > 1 ? "Two boxes show what differs between two." : null,
        data.runs.map(runBlocks),
        ...blockqnn.compare.node(),
      ),
    );
    blockqnn.contents.show();
    blockqnn.links.follow();
  };

  return { build };
})();
