// By what children are judged: accuracy in percent, or of language models perplexity. The data of
// a page have one kind of number for both, of which more is better: of language models it is 100
// over the perplexity. What a reader sees is written here.
blockqnn.measure = (() => {
  const { format } = blockqnn;
  let of = { name: "accuracy", unit: " %", inverse: false };

  const take = (found) => {
    of = found;
  };

  const value = (kept) => (of.inverse && typeof kept === "number" ? 100 / kept : kept);

  // The deviation of what is read, to first order.
  const spread = (kept, deviation) =>
    of.inverse && deviation !== null ? deviation * (value(kept) / kept) : deviation;

  const figure = (kept, digits = 2) => format.fixed(value(kept), digits);

  const words = (kept) => `${figure(kept)}${of.unit}`;

  // The title of a column or an axis, with its unit.
  const title = (name = of.name) => (of.unit ? `${name},${of.unit}` : name);

  // The ends of an axis: the better of two stands above.
  const ends = (low, high) => [value(of.inverse ? Math.max(low, high / 1e3) : low), value(high)];

  const capital = () => of.name[0].toUpperCase() + of.name.slice(1);

  return {
    take,
    value,
    spread,
    figure,
    words,
    title,
    ends,
    capital,
    get name() {
      return of.name;
    },
    get inverse() {
      return of.inverse;
    },
  };
})();
