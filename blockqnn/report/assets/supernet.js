// The supernet: how its weights were trained, and how its scores compare with networks of their own.
blockqnn.supernet = (() => {
  const { charts, element, figuresTable, format, measure } = blockqnn;

  const of = () => blockqnn.summary.supernet;
  const counted = (values, from) => values.map((_, at) => from + at + 1);

  const losses = () => {
    const found = of();
    if (!found) return { traces: [], more: {} };
    const traces = found.parts.map(({ from, loss }, place) => ({
      x: counted(loss, from),
      y: loss,
      mode: loss.length > 60 ? "lines" : "lines+markers",
      marker: { size: 4 },
      opacity: place && found.parts.length > 2 ? 0.6 : 1,
      line: { color: charts.colour(place ? "second" : "accent"), width: place ? 1.2 : 2 },
      // Names of banks come from a store, and Plotly reads tags: it is told their places.
      hovertemplate: `supernet ${place + 1}, epoch %{x}: loss %{y:.3f}<extra></extra>`,
    }));
    const more = { rangemode: "tozero", tickformat: ",d" };
    return {
      traces,
      more: { xaxis: charts.axis("epoch", more), yaxis: charts.axis("loss of training", { rangemode: "tozero" }) },
    };
  };

  const agent = () => {
    const found = of();
    if (!found?.reward) return { traces: [], more: {} };
    const line = (y, yaxis, colour, words) => ({
      x: counted(y, 0),
      y,
      yaxis,
      mode: y.length > 60 ? "lines" : "lines+markers",
      marker: { size: 4 },
      line: { color: charts.colour(colour), width: 2 },
      hovertemplate: `epoch %{x}: ${words}<extra></extra>`,
    });
    const traces = [line(found.reward, "y", "accent", "mean score %{y:.2f} %")];
    if (found.entropy) traces.push(line(found.entropy, "y2", "muted", "entropy %{y:.2f} nats"));
    return {
      traces,
      more: {
        xaxis: charts.axis("epoch", { rangemode: "tozero", tickformat: ",d", anchor: found.entropy ? "y2" : "y" }),
        yaxis: charts.axis("mean score, %", { domain: found.entropy ? [0.42, 1] : [0, 1] }),
        ...(found.entropy ? { yaxis2: charts.axis("entropy, nats", { domain: [0, 0.32] }) } : {}),
      },
    };
  };

  const table = (checked) =>
    figuresTable(
      ["trial", measure.title("score by shared weights"), measure.title(`${measure.name} of its own`)],
      checked.map(({ trial, score, own }) =>
        element(
          "tr",
          {},
          element("th", { scope: "row", class: "text" }, blockqnn.links.trial(trial, String(trial), { "data-trial": trial })),
          element("td", {}, measure.figure(score)),
          element("td", {}, own === null ? "failed" : measure.figure(own)),
        ),
      ),
    );

  const names = ({ parts, more }) => {
    if (parts.length < 2) return "";
    const listed = parts.map(({ name }, place) => `${place + 1} ${name}`).join(", ");
    return `Supernets: ${listed}${more ? `, and ${more} more without a line` : ""}. Those of parts go on where the first ended.`;
  };

  const show = () => {
    const found = of();
    const node = document.getElementById("supernet");
    node.hidden = !found;
    if (!found || !blockqnn.changed(node, found)) return;
    const words = found.sentences.map((text) => element("p", {}, format.unbroken(text)));
    document.getElementById("supernet-words").replaceChildren(...words);
    document.getElementById("supernet-names").textContent = names(found);
    const drawn = document.getElementById("supernet-charts");
    if (!drawn.hasChildNodes() && found.parts.some(({ loss }) => loss.length)) {
      const places = [charts.place("supernet-loss-chart", 300, "Loss of training by epoch", losses)];
      if (found.reward) {
        places.push(charts.place("supernet-agent-chart", 300, "Scores and entropy of the agent by epoch", agent));
      }
      drawn.append(element("div", { class: places.length > 1 ? "pair" : "" }, places));
    }
    document
      .getElementById("supernet-table")
      .replaceChildren(...(found.checked.length ? [table(found.checked)] : []));
  };

  const build = () =>
    blockqnn.section(
      "supernet",
      "Shared weights",
      null,
      element("div", { id: "supernet-words" }),
      element("div", { id: "supernet-charts" }),
      element("p", { id: "supernet-names", class: "caption" }),
      element("div", { id: "supernet-table" }),
    );

  return { build, show };
})();
