// The curves of several groups of runs: means with deviations, against a chosen axis.
blockqnn.comparisonCurves = (() => {
  const { axes, charts, element, measure } = blockqnn;
  const AXES = { trained: "trained blocks", seconds: "seconds", iteration: "iterations" };
  const QUANTITIES = {
    best_reward: () => "best reward so far",
    best_accuracy: () => measure.title(`best ${measure.name} so far`),
    mean_reward: () => "mean reward",
    mean_accuracy: () => measure.title(`mean ${measure.name}`),
  };
  // Colours of Okabe and Ito; each group has a dash of its own too, for those who see no colour.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
  const LENGTHS = { solid: "", dash: "9 5", dot: "2 4", dashdot: "9 4 2 4", longdash: "14 6", longdashdot: "14 4 2 4" };
  let data = null;
  let axis = "trained";

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

  // The corners of a line that holds each value until the next: an area is drawn there and back,
  // so that its sides cannot be left to the shape of a line.
  const steps = (x, y) => ({
    x: x.flatMap((value, at) => (at ? [value, value] : [value])),
    y: y.flatMap((value, at) => (at ? [y[at - 1], value] : [value])),
  });

  // Where fewer runs than the group has have come so far, the line is thin.
  const parts = ({ mean, runs }, whole) => {
    const place = runs.findIndex((count, at) => count < whole && (at === 0 || runs[at - 1] === whole));
    if (place < 0) return [[mean, 2]];
    const before = mean.map((value, at) => (at < place ? value : null));
    const after = mean.map((value, at) => (at >= place - 1 ? value : null));
    return [[before, 2], [after, 1]];
  };

  const judges = (quantity) => quantity.endsWith("accuracy");

  const traces = (quantity, yaxis) =>
    data.groups.flatMap(({ count, curves }, index) => {
      const curve = curves[quantity][axis];
      const judged = judges(quantity);
      const shown = judged ? measure.value : (value) => value;
      const { x, mean, deviation, runs } = curve;
      const best = quantity.startsWith("best");
      const words = runs.map((many, at) => {
        const spread = deviation[at] === null ? "" : ` ± ${(judged ? measure.spread(mean[at], deviation[at]) : deviation[at]).toFixed(2)}`;
        return many < count ? `${spread}, ${many} of ${count} runs` : spread;
      });
      const lines = parts(curve, count).map(([y, width]) => ({
        x,
        y: y.map(shown),
        mode: "lines",
        line: { color: colour(index), width, dash: dash(index), shape: best ? "hv" : "linear" },
        customdata: words,
        hovertemplate: `${AXES[axis]} %{x:.5~g}: %{y:.2f}%{customdata}<extra></extra>`,
      }));
      const below = axes.marks(yaxis, x, mean, null, { showlegend: false }, judged);
      const known = [...x.keys()].filter((at) => deviation[at] !== null);
      if (!known.length) return [...lines, below];
      const edge = (sign) => {
        const values = known.map((at) => shown(mean[at] + sign * deviation[at]));
        const places = known.map((at) => x[at]);
        return best ? steps(places, values) : { x: places, y: values };
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
      return [band, ...lines, below];
    });

  const figure = (quantity) => () => {
    const means = data.groups.flatMap(({ curves }) => curves[quantity][axis].mean);
    const above = data.groups.flatMap(({ curves }) => {
      const { mean, deviation } = curves[quantity][axis];
      return mean.map((value, at) => value + (deviation[at] ?? 0));
    });
    const yaxis = charts.axis(QUANTITIES[quantity](), axes.range(means, above, judges(quantity)));
    return {
      traces: traces(quantity, yaxis),
      more: { xaxis: charts.axis(AXES[axis], { rangemode: "tozero" }), yaxis, uirevision: axis },
    };
  };

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

  const build = (found) => {
    data = found;
    // Supernets and mixtures train no blocks, and an iteration is of any size; seconds are the same for all.
    axis = new Set(found.groups.map((group) => group.kind)).size > 1 ? "seconds" : "trained";
    return blockqnn.section(
      "curves",
      "Curves",
      "Mean over the seeds with one standard deviation. A run counts as far as it has come, and its " +
        "best so far holds when others go on; where some of a group's runs have ended, the line is thin.",
      chooser(),
      axes.toggle(),
      element(
        "div",
        { class: "pair" },
        Object.entries(QUANTITIES).map(([name, title]) =>
          charts.place(`${name}-chart`, 300, title(), figure(name)),
        ),
      ),
    );
  };

  return { build, key };
})();
