// Axes of rewards and accuracies: the worst trials do not take the height from all others. What
// lies below an axis is marked at its foot. Values are given as the page's data have them; an axis
// of `judged` ones shows by what children are judged, of which less may be better.
blockqnn.axes = (() => {
  let whole = false;
  const LEAST = 4;

  const quantile = (ascending, share) => {
    const place = share * (ascending.length - 1);
    const low = Math.floor(place);
    const high = Math.min(low + 1, ascending.length - 1);
    return ascending[low] + (ascending[high] - ascending[low]) * (place - low);
  };

  // Lowest and highest value that are shown: by Tukey's rule one that lies more than 1.5
  // interquartile ranges below the lower quartile is left out. Null where nothing is.
  const bounds = (values, above) => {
    const known = Float64Array.from(values.filter((value) => typeof value === "number")).sort();
    if (whole || known.length < LEAST) return null;
    const [first, third] = [quantile(known, 0.25), quantile(known, 0.75)];
    const fence = first - 1.5 * (third - first);
    if (third === first || known[0] >= fence) return null;
    const high = above.filter((value) => typeof value === "number");
    return [known.find((value) => value >= fence), Math.max(known[known.length - 1], ...high)];
  };

  // What the axis of these values needs besides its title, and of others that lie above them; empty
  // where all of them fit.
  const range = (values, above = [], judged = false) => {
    const found = bounds(values, above);
    const down = judged && blockqnn.measure.inverse;
    if (!found) return down ? { autorange: "reversed" } : {};
    const room = 0.06 * (found[1] - found[0]);
    const ends = [found[0] - room, found[1] + room];
    return { range: judged ? blockqnn.measure.ends(...ends) : ends };
  };

  // Points below an axis as triangles at its foot, which show their blocks too.
  const marks = (axis, x, kept, numbers, more = {}, judged = false) => {
    const y = judged ? kept.map(blockqnn.measure.value) : kept;
    const down = judged && blockqnn.measure.inverse;
    const low = axis.range ? axis.range[0] : down ? Infinity : -Infinity;
    const below = [...y.keys()].filter((at) => y[at] !== null && (down ? y[at] > low : y[at] < low));
    const foot = axis.range ? low + 0.025 * (axis.range[1] - low) : 0;
    return {
      x: below.map((at) => x[at]),
      y: below.map(() => foot),
      text: below.map((at) => y[at].toFixed(2)),
      customdata: numbers ? below.map((at) => numbers[at]) : undefined,
      mode: "markers",
      marker: { symbol: "triangle-down", size: 8, color: blockqnn.charts.colour("notice"), opacity: 0.85 },
      hovertemplate: "below the axis: %{text}<extra></extra>",
      ...(numbers ? { hoverinfo: "none", hovertemplate: null } : {}),
      ...more,
    };
  };

  // A switch for all charts of the page; it stands in each section that has such axes.
  const toggle = () => {
    const { element } = blockqnn;
    const change = (event) => {
      whole = event.target.checked;
      for (const box of document.querySelectorAll(".whole-range")) box.checked = whole;
      blockqnn.charts.refresh();
    };
    return element(
      "label",
      { class: "toggle" },
      element("input", { type: "checkbox", class: "whole-range", checked: whole, on: { change } }),
      " whole range (triangles at the foot of an axis are below it)",
    );
  };

  return { range, marks, toggle, revision: () => (whole ? "whole" : "kept") };
})();
