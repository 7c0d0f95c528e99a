// The page of several runs: groups that differ in more than the seed, side by side.
blockqnn.comparison = (() => {
  const { charts, element, format } = blockqnn;
  const AXES = { iteration: "iterations", trained: "trained blocks", seconds: "seconds" };
  const QUANTITIES = {
    best_reward: "best reward so far",
    best_accuracy: "best accuracy so far, %",
    mean_reward: "mean reward",
    mean_accuracy: "mean accuracy, %",
  };
  // Colours of Okabe and Ito; each group has a dash of its own too, for those who see no colour.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
  const LENGTHS = { solid: "", dash: "9 5", dot: "2 4", dashdot: "9 4 2 4", longdash: "14 6", longdashdot: "14 4 2 4" };
  let data = null;
  let axis = "iteration";

  const colour = (index) => COLOURS[index % COLOURS.length];
  const dash = (index) => DASHES[(index + Math.floor(index / COLOURS.length)) % DASHES.length];

  const key = (index) =>
    blockqnn.svgElement(
      "svg",
      { width: 34, height: 10, class: "line-key", "aria-hidden": "true" },
      blockqnn.svgElement("line", {
        x1: 0,
        x2: 34,
        y1: 5,
        y2: 5,
        stroke: colour(index),
        "stroke-width": 2.5,
        "stroke-dasharray": LENGTHS[dash(index)],
      }),
    );

  const plusMinus = (write) => ({ mean, deviation }) =>
    mean === null ? format.DASH : write(mean) + (deviation === null ? "" : ` ± ${write(deviation)}`);

  // The corners of a line that holds each value until the next: an area is drawn there and back,
  // so that its sides cannot be left to the shape of a line.
  const steps = (x, y) => ({
    x: x.flatMap((value, at) => (at ? [value, value] : [value])),
    y: y.flatMap((value, at) => (at ? [y[at - 1], value] : [value])),
  });

  const traces = (quantity) =>
    data.groups.flatMap(({ curves }, index) => {
      const { x, mean, deviation } = curves[quantity][axis];
      const line = {
        x,
        y: mean,
        mode: "lines",
        line: {
          color: colour(index),
          width: 2,
          dash: dash(index),
          shape: quantity.startsWith("best") ? "hv" : "linear",
        },
        customdata: deviation.map((value) => (value === null ? "" : ` ± ${value.toFixed(2)}`)),
        hovertemplate: `${AXES[axis]} %{x:.5~g}: %{y:.2f}%{customdata}<extra></extra>`,
      };
      if (!deviation.length || deviation[0] === null) return [line];
      const edge = (sign) => {
        const values = mean.map((value, at) => value + sign * deviation[at]);
        return quantity.startsWith("best") ? steps(x, values) : { x, y: values };
      };
      const [upper, lower] = [edge(1), edge(-1)];
      const band = {
        x: [...upper.x, ...[...lower.x].reverse()],
        y: [...upper.y, ...[...lower.y].reverse()],
        mode: "lines",
        line: { width: 0 },
        fill: "toself",
        fillcolor: `${colour(index)}22`,
        hoverinfo: "skip",
      };
      return [band, line];
    });

  const figure = (quantity) => () => ({
    traces: traces(quantity),
    more: {
      xaxis: charts.axis(AXES[axis], { rangemode: "tozero" }),
      yaxis: charts.axis(QUANTITIES[quantity]),
      uirevision: axis,
    },
  });

  const chooser = () => {
    const choose = (event) => {
      axis = event.target.value;
      charts.refresh();
    };
    return element(
      "fieldset",
      { class: "chooser" },
      element("legend", {}, "Against"),
      Object.entries(AXES).map(([name, title]) =>
        element(
          "label",
          {},
          element("input", {
            type: "radio",
            name: "axis",
            value: name,
            checked: name === axis,
            on: { change: choose },
          }),
          ` ${title}`,
        ),
      ),
    );
  };

  const table = (titles, rows) =>
    element(
      "div",
      { class: "scroll" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            titles.map((title, at) => element("th", { scope: "col", class: at ? "" : "text" }, title)),
          ),
        ),
        element("tbody", {}, rows),
      ),
    );

  const FIGURES = [
    ["best_reward", "best reward", (value) => format.fixed(value)],
    ["best_accuracy", "best accuracy, %", (value) => format.fixed(value)],
    ["trained", "blocks trained", (value) => format.fixed(value, Number.isInteger(value) ? 0 : 1)],
    ["seconds", "device time", (value) => format.duration(value)],
  ];

  const groupsTable = () =>
    table(
      ["group", "seeds", ...FIGURES.map(([, title]) => title)],
      data.groups.map((group, index) =>
        element(
          "tr",
          {},
          element("th", { scope: "row", class: "text" }, key(index), group.name),
          element("td", {}, String(group.count)),
          FIGURES.map(([name, , write]) => element("td", {}, plusMinus(write)(group.figures[name]))),
        ),
      ),
    );

  const flagsTable = () =>
    data.differing.length
      ? table(
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
    return `${words} ${value === null ? format.DASH : write(value)}${unit ? ` ${unit}` : ""}`;
  };

  const runBlocks = (run) =>
    element(
      "div",
      { class: "run" },
      element("h3", {}, key(run.group), run.name),
      element(
        "p",
        { class: "caption" },
        `seed ${run.seed}: ${FIGURES.map((figure) => inWords(run, ...figure)).join(", ")}`,
      ),
      element(
        "div",
        { class: "gallery" },
        run.best.map(({ number, svg }, at) => {
          const trial = { ...trialAt(run.trials, at), svg };
          const title = `${at + 1}. trial ${number}`;
          return blockqnn.gallery.figure(trial, svg, title, () =>
            blockqnn.panel.show(trial, `${run.name}#${number}`, true),
          );
        }),
      ),
    );

  const build = (found) => {
    data = found;
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
      blockqnn.section(
        "curves",
        "Curves",
        "Mean over the seeds with one standard deviation, as far as all runs of a group have come.",
        chooser(),
        element(
          "div",
          { class: "pair" },
          Object.entries(QUANTITIES).map(([name, title]) =>
            charts.place(`${name}-chart`, 300, title, figure(name)),
          ),
        ),
      ),
      blockqnn.section("differing", "Flags that differ between groups", null, flagsTable()),
      blockqnn.section("best", "The best blocks of each run", null, data.runs.map(runBlocks)),
    );
  };

  return { build };
})();
