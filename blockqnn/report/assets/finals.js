// The finals: the best blocks by the search's reward, trained for longer, and who moved.
blockqnn.finals = (() => {
  const { axes, charts, element, figuresTable, format, measure } = blockqnn;
  const MOST = 20;
  let whole = false;

  const of = () => blockqnn.summary.finals;
  const last = (row) => row.results.at(-1);
  const spread = ({ accuracy, deviation }) =>
    deviation === null ? "" : ` ± ${format.fixed(measure.spread(accuracy, deviation))}`;
  const several = () => of().rows.some((row) => row.results.some(({ low }) => low !== null));

  // The winner, the best by early reward, and all others, which are drawn first.
  const kinds = () => {
    const { rows } = of();
    const ranked = rows[0].rank !== null;
    const first = rows.filter((row) => row.early_rank === 1);
    const winner = ranked ? [rows[0]] : [];
    const others = rows.filter((row) => ![...first, ...winner].includes(row));
    return [
      [others, "muted", 7, 1, 0.55],
      [first, "second", 10, 2.4, 1],
      [winner, "accent", 10, 2.4, 1],
    ];
  };

  const ranks = () => {
    const { rows } = of();
    const ends = [1, rows.length];
    const room = Math.max(0.5, 0.03 * rows.length);
    // Rank 1 stands at the top, as in the table.
    const axis = (title, down) => ({
      ...charts.axis(title, { dtick: rows.length > 12 ? undefined : 1, tick0: 1 }),
      range: down ? [rows.length + room, 1 - room] : [1 - room, rows.length + room],
    });
    const points = kinds().map(([part, name, size, , opacity]) => ({
      x: part.map((row) => row.early_rank),
      y: part.map((row) => row.rank),
      customdata: part.map((row) => row.trial),
      mode: "markers",
      marker: { color: charts.colour(name), size, opacity },
      hoverinfo: "none",
      cliponaxis: false,
    }));
    const line = { color: charts.colour("muted"), width: 1, dash: "dash" };
    return {
      traces: [{ x: ends, y: ends, mode: "lines", line, hoverinfo: "skip" }, ...points],
      more: {
        xaxis: axis("early rank, by reward", false),
        yaxis: axis(of().ended ? "final rank" : "rank so far", true),
      },
    };
  };

  // The accuracies of a block after the search and after each of its rounds. In a round with
  // intervals blocks stand beside each other, so that these can be told apart.
  const path = (row) => {
    const early = { accuracy: row.early, low: null, high: null };
    return [early, ...row.results].map(({ accuracy, low, high }, at) => {
      const half = low === null || high === null ? null : (high - low) / 2;
      const there = half === null ? [row] : of().rows.filter(({ results }) => results.length >= at);
      const beside = there.length > 1 ? 0.3 * (there.indexOf(row) / (there.length - 1) - 0.5) : 0;
      return { x: at + beside, kept: accuracy, number: row.trial, half };
    });
  };

  const slopes = () => {
    const { epochs, rows } = of();
    const gap = { x: null, kept: null, number: null, half: null };
    const shown = [];
    const traces = kinds().map(([part, name, size, width, opacity]) => {
      const points = part.flatMap((row) => [...path(row), gap]);
      shown.push(...points);
      return {
        x: points.map(({ x }) => x),
        y: points.map(({ kept }) => measure.value(kept)),
        customdata: points.map(({ number }) => number),
        mode: "lines+markers",
        line: { color: charts.colour(name), width },
        marker: { color: charts.colour(name), size: size - 2 },
        error_y: { array: points.map(({ kept, half }) => measure.spread(kept, half)), color: charts.colour(name), thickness: 1.2, width: 3 },
        opacity,
        hoverinfo: "none",
      };
    });
    const [x, y, numbers] = ["x", "kept", "number"].map((name) => shown.map((point) => point[name]));
    const tops = shown.map((point) => (point.half === null ? null : point.kept + point.half));
    const yaxis = charts.axis(measure.title(), axes.range(y, tops, true));
    const rounds = epochs.slice(0, 1 + Math.max(...rows.map((row) => row.results.length)));
    const stage = (count, at) =>
      `${at ? `round ${at}` : "search"}${count === null ? "" : `<br>${format.count(count)} epoch${count === 1 ? "" : "s"}`}`;
    const xaxis = charts.axis("", {
      tickvals: rounds.map((_, at) => at),
      ticktext: rounds.map(stage),
      range: [-0.3, rounds.length - 0.7],
    });
    return { traces: [...traces, axes.marks(yaxis, x, y, numbers, {}, true)], more: { xaxis, yaxis } };
  };

  const moved = (row) => {
    if (row.rank === null) return format.DASH;
    const up = row.early_rank - row.rank;
    return up ? `${up > 0 ? "↑" : "↓"}\u00a0${format.count(Math.abs(up))}` : "=";
  };

  const failed = (row) => {
    const count = row.results.reduce((sum, result) => sum + result.failed, 0);
    return count ? element("span", { class: "mark" }, `${format.count(count)} failed`) : "";
  };

  const soFar = ({ so_far: found }) => {
    if (!found) return format.DASH;
    const seeds = of().seeds[of().under_way - 1];
    return measure.figure(found.accuracy) + (seeds > 1 ? ` (${found.trainings} of ${seeds})` : "");
  };

  // Title of a column, what stands in it, and whether it is shown.
  const columns = () => {
    const { ended, epochs, rows, under_way: round } = of();
    const begun = rows[0].rank !== null;
    const of_last = (write) => (row) => (last(row) ? write(last(row)) : format.DASH);
    const interval = ({ low, high }) =>
      low === null
        ? format.DASH
        : [low, high].map(measure.value).sort((a, b) => a - b).map((end) => format.fixed(end)).join(" to ");
    const trial = (row) => blockqnn.trials.get(row.trial);
    return [
      ["trial", (row) => blockqnn.links.trial(row.trial, String(row.trial), { "data-trial": row.trial }), true],
      ["early rank", (row) => row.early_rank, true],
      ["moved", moved, begun],
      [measure.title(`round ${round} so far`), soFar, !ended],
      [measure.title(), (row) => [failed(row), of_last((found) => measure.figure(found.accuracy) + spread(found))(row)], begun],
      ["95 % interval", of_last(interval), several()],
      ["epochs", (row) => (last(row) ? format.count(epochs[row.round]) : format.DASH), begun],
      ["rounds", (row) => `${row.round} of ${of().seeds.length}`, begun && of().seeds.length > 1],
      [measure.title(`early ${measure.name}`), (row) => measure.figure(row.early), true],
      ["parameters", (row) => format.units(trial(row)?.parameters), true],
      ["filters", (row) => row.filters || "the run's", rows.some((row) => row.filters)],
    ].filter(([, , shown]) => shown);
  };

  const table = () => {
    const shown = columns();
    return figuresTable(
      ["rank", ...shown.map(([title]) => title)],
      of().rows.map((row, at) =>
        element(
          "tr",
          { class: at >= MOST && !whole ? "further" : "" },
          element("th", { scope: "row", class: "text" }, row.rank === null ? format.DASH : String(row.rank)),
          shown.map(([, write]) => element("td", {}, write(row))),
        ),
      ),
    );
  };

  const switched = () => {
    whole = !whole;
    place().replaceChildren(...body());
  };

  const body = () => {
    const count = of().rows.length;
    const words = whole ? `Only the best ${MOST}` : `All ${format.count(count)}`;
    const more = element("button", { type: "button", class: "more", on: { click: switched } }, words);
    return [table(), ...(count > MOST ? [more] : [])];
  };

  const caption = () => {
    const { ended, rows } = of();
    const begun = rows[0].rank !== null;
    return [
      `The best blocks by the search's reward, trained again for longer and judged on ${blockqnn.summary.examples} that no ` +
        `training saw, but on which the search has chosen, too: the ${measure.name} of a winner is a little too good.`,
      several()
        ? "Mean ± standard deviation over the seeds of a block; the interval is Student's, with a deviation " +
          "that is pooled over the blocks of the round."
        : "",
      begun
        ? `${ended ? "The winner" : "The best so far"} is blue, the best by early reward orange. Above the dashed ` +
          "line are blocks that are better than the search had ranked them."
        : "",
    ]
      .filter(Boolean)
      .join(" ");
  };

  const place = () => document.getElementById("finals-table");

  const show = () => {
    const found = of();
    const node = document.getElementById("finals");
    node.hidden = !found;
    if (!found) return;
    const drawn = document.getElementById("finals-charts");
    const begun = found.rows[0].rank !== null;
    // Who waits for the first round to end sees the table alone.
    drawn.hidden = !begun;
    if (begun && !drawn.hasChildNodes()) {
      drawn.append(
        axes.toggle(),
        element(
          "div",
          { class: "pair" },
          charts.place("final-ranks-chart", 340, "Final rank by early rank", ranks),
          charts.place("final-accuracy-chart", 340, `${measure.capital()} after the search and after each round`, slopes),
        ),
      );
    }
    if (!blockqnn.changed(node, found)) return;
    const words = found.sentences.map((text) => element("p", {}, blockqnn.links.linked(format.unbroken(text))));
    document.getElementById("finals-words").replaceChildren(...words);
    document.getElementById("finals-caption").textContent = caption();
    place().replaceChildren(...body());
  };

  const build = () =>
    blockqnn.section(
      "finals",
      "Finals",
      null,
      element("div", { id: "finals-words" }),
      element("p", { id: "finals-caption", class: "caption" }),
      element("div", { id: "finals-charts" }),
      element("div", { id: "finals-table" }),
    );

  return { build, show };
})();
