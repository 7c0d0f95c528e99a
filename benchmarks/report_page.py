"""How quickly the page of a long run loads, and whether it stays fluid.

Writes the report of RUN_DIR, or of a dry run of at least 12,000 suggestions that
it makes first, and loads the file in chromium without a window, each time
with a new profile. Needs chromium and chromedriver. Prints, as medians over
the repeats and their range:

- seconds until its words and its table are there, and until it is loaded;
- seconds until every chart is drawn;
- milliseconds until the table is shown anew after a word is typed and after a
  column is sorted;
- milliseconds until the block of a clicked row is drawn, the first and a later;
- the longest and the median time between two frames while the pointer moves
  over the scatter chart, which without a graphics card costs most.
"""

from __future__ import annotations

import pathlib
import statistics
import sys
import tempfile
import time

from benchmarks._arguments import make_parser
from blockqnn.__main__ import main as blockqnn_main
from blockqnn.listing import table
from blockqnn.runs.run_record import read_run
from tests.blockqnn.browser import ActionChains, Browser, opened

_DRY = [
    "search",
    "--preset=cifar100_paper",
    "--evaluator=dry",
    "--executor=inline",
    "--epsilon_schedule=1.0:80,0.5:30,0.1:30",
]
# Until what a change leads to is laid out and painted.
_TIMED = """
const done = arguments[arguments.length - 1];
const begun = performance.now();
(%s);
requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun), 0));
"""
_TYPE = """((find) => {
  find.value = "(1,1,3";
  find.dispatchEvent(new Event("input"));
})(document.getElementById("find"))"""
_SORT = """document.querySelector("th[data-column=flops] button").click()"""
_OPEN = """
const done = arguments[arguments.length - 1];
const begun = performance.now();
blockqnn.panel.pin(arguments[0]);
const look = () => {
  if (document.querySelector("#panel .drawing svg")) done(performance.now() - begun);
  else setTimeout(look, 1);
};
look();
"""
_WATCH = """
window.frames_ms = [];
let last = performance.now();
const frame = (now) => {
  window.frames_ms.push(now - last);
  last = now;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""


def figures(browser: Browser, page: pathlib.Path, numbers: list[int]) -> dict[str, float]:
    """Loads the page once and measures."""
    browser.open_file(page)
    driver = browser.driver
    found = {
        "words and table, s": browser.script(
            "performance.getEntriesByName('blockqnn-shown')[0].startTime / 1000"
        ),
        "loaded, s": browser.script(
            "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
        ),
        "all charts drawn, s": browser.script(
            "performance.getEntriesByName('blockqnn-drawn').at(-1).startTime / 1000"
        ),
        "filter, ms": driver.execute_async_script(_TIMED % _TYPE),
        "sort, ms": driver.execute_async_script(_TIMED % _SORT),
        "first block, ms": driver.execute_async_script(_OPEN, numbers[0]),
        "later block, ms": driver.execute_async_script(_OPEN, numbers[-1]),
    }
    browser.script("blockqnn.panel.close()")
    browser.point_at("flops-chart", 1, 0)
    driver.execute_script(_WATCH)
    for step in range(30):
        ActionChains(driver, duration=20).move_by_offset(4, 2 if step % 2 else -2).perform()
    frames = browser.script("window.frames_ms.slice(1)")
    found["median frame, ms"] = statistics.median(frames)
    found["longest frame, ms"] = max(frames)
    return found


def main() -> None:
    """Writes and loads the page, and prints the table."""
    parser = make_parser("report_page", __doc__)
    parser.add_argument(
        "run_dir",
        metavar="RUN_DIR",
        nargs="?",
        type=pathlib.Path,
        help="a run; or a dry one is made",
    )
    parser.add_argument("--repeats", type=int, default=3, help="how often the page is loaded")
    given = parser.parse_args()
    repeats = given.repeats
    with tempfile.TemporaryDirectory() as folder:
        run = given.run_dir or pathlib.Path(folder) / "run"
        if not given.run_dir and blockqnn_main([*_DRY, f"--run_dir={run}"]):
            sys.exit(1)
        page = pathlib.Path(folder) / "report.html"
        begun = time.monotonic()
        if blockqnn_main(["report", str(run), f"--out={page}"]):
            sys.exit(1)
        seconds = time.monotonic() - begun
        trials = read_run(run).trials
        rows = []
        for _ in range(repeats):
            with opened() as browser:
                rows.append(figures(browser, page, [trial.number for trial in trials]))
        print(
            f"\n{len(trials):,} trials: written in {seconds:.1f} s, "
            f"{page.stat().st_size / 1e6:.1f} MB.\n"
        )
    lines = [
        [
            f"{statistics.median(row[name] for row in rows):.3g}",
            f"{min(row[name] for row in rows):.3g} to {max(row[name] for row in rows):.3g}",
            name,
        ]
        for name in rows[0]
    ]
    print(table(["median", "range", f"of {repeats}"], lines))


if __name__ == "__main__":
    main()
