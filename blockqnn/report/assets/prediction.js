// How well a model would have known the blocks before they were trained.
blockqnn.prediction = (() => {
  const { axes, charts, element, format } = blockqnn;

  const figure = () => {
    if (!blockqnn.summary.prediction) return { traces: [], more: {} };
    const { numbers, predicted, deviations, rewards } = blockqnn.summary.prediction;
    const ends = [...predicted, ...rewards];
    const range = [Math.min(...ends), Math.max(...ends)];
    const yaxis = charts.axis("reward", axes.range(rewards));
    return {
      traces: [
        {
          x: range,
          y: range,
          mode: "lines",
          line: { color: charts.colour("muted"), width: 1, dash: "dash" },
          hoverinfo: "skip",
        },
        {
          x: predicted,
          y: rewards,
          customdata: numbers,
          mode: "markers",
          marker: { color: charts.colour("accent"), size: 7, opacity: 0.55 },
          error_x: { array: deviations, color: charts.colour("faint"), thickness: 0.6, width: 0 },
          hoverinfo: "none",
        },
        axes.marks(yaxis, predicted, rewards, numbers),
      ],
      more: {
        xaxis: charts.axis("predicted reward ± deviation"),
        yaxis,
      },
    };
  };

  const show = () => {
    const found = blockqnn.summary.prediction;
    const { early } = blockqnn.summary.findings;
    document.getElementById("prediction").hidden = !found || Boolean(early);
    if (!found || early) return;
    const words = found.sentences.map((text) => element("p", {}, format.unbroken(text)));
    document.getElementById("prediction-words").replaceChildren(...words);
    const body = document.getElementById("prediction-body");
    if (!body.hasChildNodes()) {
      body.append(charts.place("prediction-chart", 360, "Rewards by what was predicted", figure));
    }
  };

  const build = () =>
    blockqnn.section(
      "prediction",
      "Could a predictor choose?",
      null,
      element("div", { id: "prediction-words" }),
      element("div", { id: "prediction-body" }),
    );

  return { build, show };
})();
