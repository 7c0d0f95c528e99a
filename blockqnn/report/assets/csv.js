// The trials as CSV, the text that `trials RUN_DIR --format=csv` prints.
blockqnn.csv = (() => {
  const { element } = blockqnn;
  let read = null;

  const give = (packed) => {
    read = () => blockqnn.drawing.inflate(packed);
  };

  const take = (ask) => {
    read = ask;
  };

  const save = async (event) => {
    const button = event.target;
    button.disabled = true;
    try {
      const address = URL.createObjectURL(new Blob([await read()], { type: "text/csv" }));
      element("a", { href: address, download: `${blockqnn.summary.name}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
    } finally {
      button.disabled = false;
    }
  };

  const button = () =>
    element("button", { type: "button", id: "csv", on: { click: save } }, "Download all as CSV");

  return { give, take, button, text: () => read() };
})();
