// Asks the server of a page that is served for what is new, and shows it.
blockqnn.live = (() => {
  const PAUSE_MS = 1500;
  const LONGEST_PAUSE_MS = 15000;
  let token = "";
  let count = 0;
  let version = 0;

  // What is drawn anew loses the focus: it goes to the same trial in the same section.
  const keepFocus = (change) => {
    const { trial } = document.activeElement?.dataset ?? {};
    const section = document.activeElement?.closest("section")?.id;
    change();
    if (trial && section) {
      document.querySelector(`#${section} [data-trial="${trial}"]`)?.focus({ preventScroll: true });
    }
  };

  const take = (news) => {
    if (news.trials) {
      if (!news.after) blockqnn.trials.clear();
      blockqnn.trials.merge(news.trials);
      blockqnn.summary = news.summary;
      keepFocus(blockqnn.showAll);
    }
    ({ token, count, version } = news);
  };

  const status = () => {
    const { iterations, planned } = blockqnn.summary.findings;
    const ended = planned && iterations >= planned;
    const time = new Date().toLocaleTimeString("en-GB");
    return `${ended ? "the search has ended" : "following the run"}, ${time}`;
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

  const start = (payload) => {
    ({ token, count, version } = payload);
    blockqnn.drawing.take((trial) => ask(`/drawing?trial=${trial.number}`));
    poll();
  };

  return { start };
})();
