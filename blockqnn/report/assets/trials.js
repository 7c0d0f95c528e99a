// The trials of the run, in columns as they came, with what is new merged in.
blockqnn.trials = (() => {
  const names = [];
  let columns = {};
  const place = new Map();

  // A trial that is already there is replaced: columns are matched by the trial's number.
  const merge = (incoming) => {
    if (!names.length) {
      names.push(...Object.keys(incoming));
      columns = Object.fromEntries(names.map((name) => [name, []]));
    }
    incoming.number.forEach((number, index) => {
      if (!place.has(number)) place.set(number, place.size);
      const row = place.get(number);
      for (const name of names) columns[name][row] = incoming[name][index];
    });
  };

  const row = (number) => place.get(number);

  // One trial as an object; a known one has the accuracies of the trial that it repeats.
  const get = (number) => {
    const at = place.get(number);
    if (at === undefined) return null;
    const trial = Object.fromEntries(names.map((name) => [name, columns[name][at]]));
    trial.status = blockqnn.statuses[trial.status];
    const source = trial.source === null ? undefined : place.get(trial.source);
    if (source !== undefined) trial.accuracies = columns.accuracies[source];
    return trial;
  };

  return {
    merge,
    get,
    row,
    clear: () => {
      place.clear();
      names.length = 0;
    },
    column: (name) => columns[name] ?? [],
    get size() {
      return place.size;
    },
  };
})();
