// Addresses inside the page: #trial-17 opens trial 17, here and when the page is loaded with it.
blockqnn.links = (() => {
  const { element } = blockqnn;
  const openers = new Map();
  let waiting = "";

  const set = (name) => {
    const address = name ? `#${name}` : location.pathname + location.search;
    // A page from disk may not be allowed to change its address.
    try {
      history.replaceState(null, "", address);
    } catch {
      return;
    }
  };

  // What the address asks for may come later, when the page follows a search.
  const follow = () => {
    const name = waiting || location.hash.slice(1);
    const [, opener, number] = name.match(/^((?:run-\d{1,6}-)?trial-)(\d{1,9})$/) ?? [];
    if (!openers.has(opener)) return;
    waiting = openers.get(opener)(Number(number)) ? "" : name;
  };

  const asked = () => {
    waiting = "";
    follow();
  };

  // `open` shows a trial and returns whether it is there.
  const opens = (opener, open) => openers.set(opener, open);

  const trial = (number, words = `trial ${number}`, more = {}) => {
    const open = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      blockqnn.panel.pin(number, true);
    };
    return element("a", { href: `#trial-${number}`, class: "link", on: { click: open }, ...more }, words);
  };

  // A sentence in which `trial 17` leads to it.
  const linked = (text) =>
    text
      .split(/(\btrial \d{1,9}\b)/)
      .map((part, at) => (at % 2 ? trial(Number(part.slice(6)), part.replace(" ", "\u00a0")) : part));

  addEventListener("hashchange", asked);

  return { opens, follow, set, trial, linked };
})();
