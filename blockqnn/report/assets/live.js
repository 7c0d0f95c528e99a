// Asks the server of a page that is served for what is new, and shows it.
blockqnn.live = (() => {
  const PAUSE_MS = 1500;
  const LONGEST_PAUSE_MS = 15000;
  const WORDS = {
    finished: "the search has finished",
    stopped: "the search was stopped",
    died: "the search died",
    finals: "following the finals",
  };
  let on = false;
  let token = "";
  let count = 0;
  let version = 0;

  // What is drawn anew loses the focus and how far it was scrolled: it gets both back.
  const keepPlace = (change) => {
    const { trial } = document.activeElement?.dataset ?? {};
    const section = document.activeElement?.closest("section")?.id;
    // A table that is drawn anew begins at its left again.
    const scrolled = [...document.querySelectorAll("section .scroll")]
      .filter((node) => node.scrollLeft)
      .map((node) => [node.closest("section").id, node.scrollLeft]);
    change();
    for (const [id, left] of scrolled) {
      const node = document.querySelector(`#${id} .scroll`);
      if (node) node.scrollLeft = left;
    }
    if (trial && section) {
      document.querySelector(`#${section} [data-trial="${trial}"]`)?.focus({ preventScroll: true });
    }
  };

  const take = (news) => {
    if (news.trials) {
      if (!news.after) blockqnn.trials.clear();
      blockqnn.trials.merge(news.trials);
      blockqnn.summary = news.summary;
      // Before a run has begun nobody knows what judges it.
      blockqnn.measure.take(news.summary.measure);
      keepPlace(blockqnn.showAll);
    }
    blockqnn.state.show(news.state);
    ({ token, count, version } = news);
  };

  const status = () => {
    const time = new Date().toLocaleTimeString("en-GB");
    return `${WORDS[blockqnn.summary.state.name] ?? "following the run"}, ${time}`;
  };

  const ask = async (path) => {
    const answer = await fetch(path, { cache: "no-store" }).catch(() => {
      throw new Error("the server has ended");
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };

  const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  // A page of many trials takes its time, on a machine that has a search to do: it asks less often.
  const pause = async (begun) => {
    while (document.documentElement.dataset.drawn !== "true") await sleep(100);
    const wanted = Math.max(PAUSE_MS, 5 * (performance.now() - begun));
    await sleep(Math.min(wanted, LONGEST_PAUSE_MS));
  };

  const poll = async () => {
    const place = document.getElementById("live");
    const begun = performance.now();
    try {
      take(await ask(`/trials?of=${token}&after=${count}&version=${version}`));
      place.textContent = status();
    } catch (error) {
      place.textContent = error.message;
    }
    await pause(begun);
    poll();
  };

  const text = async (path) => {
    const answer = await fetch(path, { cache: "no-store" });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.text();
  };

  const start = (payload) => {
    on = true;
    ({ token, count, version } = payload);
    blockqnn.drawing.take((trial) => ask(`/drawing?trial=${trial.number}`));
    blockqnn.compare.take((first, second) => ask(`/difference?first=${first}&second=${second}`));
    blockqnn.csv.take(() => text("/trials.csv"));
  };

  return {
    start,
    poll,
    get on() {
      return on;
    },
  };
})();
