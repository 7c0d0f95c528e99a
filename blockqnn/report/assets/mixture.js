// How the weights of operations of a mixture have changed from epoch to epoch.
blockqnn.mixture = (() => {
  const { axes, charts, element, format, measure } = blockqnn;
  const ROW = 7;

  const data = () => blockqnn.summary.mixture;

  // Of a mixture that was split all epochs are counted on, and those of a part are some of them.
  const axis = () => charts.axis(data().parts.length > 1 ? "epoch, of all parts" : "epoch");
  const titled = (name, part) => (part.name ? `${part.name}, ${name}` : name);

  // Every edge is a band of as many rows as there are operations, none at its top.
  const heat = (place, at) => () => {
    const part = data()?.parts[place];
    if (!part?.cells[at]) return { traces: [], more: {} };
    const { labels, operations, shares } = part.cells[at];
    const names = labels.flatMap((label) => operations.map((operation) => [label, operation]));
    const places = names.map((_, place) => place);
    return {
      traces: [
        {
          type: "heatmap",
          x: part.epochs,
          y: places,
          z: shares.flat(),
          text: names.map(([label, operation]) => part.epochs.map(() => `${label} ${operation}`)),
          colorscale: "Viridis",
          colorbar: { thickness: 10, tickformat: ".0%", outlinewidth: 0 },
          hovertemplate: "epoch %{x}: %{text} %{z:.1%}<extra></extra>",
        },
      ],
      more: {
        xaxis: axis(),
        yaxis: charts.axis("edge", {
          autorange: "reversed",
          tickvals: labels.map((_, place) => (place + 0.5) * operations.length - 0.5),
          ticktext: labels.map((label) => label.replace("<-", " ← ")),
          showgrid: false,
        }),
      },
    };
  };

  const line = (part, name, values, colour, dash) => ({
    x: part.epochs,
    y: values,
    mode: "lines+markers",
    connectgaps: true,
    marker: { size: 4 },
    line: { color: charts.colour(colour), width: 1.6, dash },
    hovertemplate: `epoch %{x}: ${titled(name, part)} %{y:.3~g}<extra></extra>`,
  });

  const accuracies = () => {
    if (!data()) return { traces: [], more: {} };
    return {
      traces: data().parts.flatMap((part) => [
        line(part, "mixture", part.curves.accuracy.map(measure.value), "accent"),
        line(part, "derived cell", part.curves.derived_accuracy.map(measure.value), "text", "dot"),
      ]),
      more: { xaxis: axis(), yaxis: charts.axis(measure.title(), axes.range([], [], true)) },
    };
  };

  const eigenvalues = () => {
    if (!data()) return { traces: [], more: {} };
    return {
      traces: data().parts.map((part) => line(part, "eigenvalue", part.curves.eigenvalue, "accent")),
      more: { xaxis: axis(), yaxis: charts.axis("largest eigenvalue") },
    };
  };

  const counts = () => {
    if (!data()) return { traces: [], more: {} };
    const dashes = ["solid", "dash", "dot"];
    const traces = data().parts.flatMap((part) =>
      Object.entries(part.counts).flatMap(([cell, own], at) =>
        Object.entries(own).map(([what, values], place) =>
          line(part, `${cell}, ${what}`, values, at ? "text" : "accent", dashes[place]),
        ),
      ),
    );
    return { traces, more: { xaxis: axis(), yaxis: charts.axis("in the derived cell") } };
  };

  const caption = (text) => element("p", { class: "caption" }, format.unbroken(text));

  const body = () => [
    charts.place("mixture-accuracy", 240, `${measure.capital()} of the mixture and of the derived cell`, accuracies),
    caption(`The mixture (line) and the derived cell with its weights (dotted), on validation ${blockqnn.summary.examples}.`),
    ...data().parts.flatMap((part, place) =>
      part.cells.flatMap(({ name, labels, operations }, at) => [
        element("h3", {}, `Shares of operations, ${titled(name, part)}`),
        charts.place(
          `mixture-heat-${place}-${at}`,
          90 + ROW * labels.length * operations.length,
          `Shares of the operations of each edge over epochs, ${titled(name, part)}`,
          heat(place, at),
        ),
        caption(`Each edge is a band; from above: ${operations.join(", ")}.`),
      ]),
    ),
    charts.place("mixture-counts", 240, "Operations of the derived cell over epochs", counts),
    caption("Skip connections (line), pools (dashed) and convolutions (dotted) of the derived cell."),
    ...(data().parts.some((part) => part.curves.eigenvalue.some((value) => value !== null))
      ? [
          charts.place("mixture-eigenvalue", 240, "Largest eigenvalue over epochs", eigenvalues),
          caption("Of the Hessian of the loss in the weights of operations; where it grows, cells found tend to be worse."),
        ]
      : []),
  ];

  const show = () => {
    document.getElementById("mixture").hidden = !data();
    if (!data()) return;
    const words = data().sentences.map((text) => element("p", {}, format.unbroken(text)));
    document.getElementById("mixture-words").replaceChildren(...words);
    const place = document.getElementById("mixture-body");
    if (!place.hasChildNodes()) place.append(...body());
  };

  const build = () =>
    blockqnn.section(
      "mixture",
      "What the mixture came to",
      null,
      element("div", { id: "mixture-words" }),
      element("div", { id: "mixture-body" }),
    );

  return { build, show };
})();
