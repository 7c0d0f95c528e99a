"""How many evaluations a predictor saves, from a contest on a table that has ended.

For each budget prints the mean judged accuracy of both in percent, p of Welch's
test, and after how many evaluations the one with a predictor has on average
what the other one has after the budget.
"""

from __future__ import annotations

import collections
import json
import pathlib
import statistics

from benchmarks._arguments import make_parser
from blockqnn.contests.contest import Played, from_json
from blockqnn.contests.standings import welch_p
from blockqnn.contests.tournament import FILE_NAME
from blockqnn.listing import table


def judged(runs: list[Played], evaluations: int) -> list[float]:
    """What each run has found after a number of evaluations, in percent."""
    found = [run.best_at(evaluations) for run in runs]
    return [best.judged for best in found if best is not None]


def main() -> None:
    """Prints the table."""
    parser = make_parser("saved_evaluations", __doc__)
    parser.add_argument(
        "out_dir",
        metavar="OUT_DIR",
        type=pathlib.Path,
        help="that of `compare --table`, with agents NAME and NAME+predictor",
    )
    lines = (parser.parse_args().out_dir / FILE_NAME).read_text(encoding="utf-8").splitlines()[1:]
    runs: dict[str, dict[int, list[Played]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    for run in map(from_json, map(json.loads, lines)):
        runs[run.contestant][run.budget].append(run)
    budgets = sorted({budget for by_budget in runs.values() for budget in by_budget})
    rows = []
    for name in sorted(runs):
        title, plus, _ = name.partition("+")
        if not plus or title not in runs:
            continue
        for budget in budgets:
            # Agents that are not sized to a budget have runs of the largest alone.
            size = budget if budget in runs[name] else max(runs[name])
            with_it, without = runs[name][size], runs[title][size]
            before, after = judged(without, budget), judged(with_it, budget)
            goal = statistics.fmean(before)
            reached = (
                n for n in range(1, size + 1) if statistics.fmean(judged(with_it, n)) >= goal
            )
            p = welch_p(after, before)
            rows.append(
                [
                    f"{budget:,}",
                    f"{goal:.2f}",
                    f"{statistics.fmean(after):.2f}",
                    "-" if p is None else f"{p:.2g}",
                    str(next(reached, "-")),
                    name,
                ]
            )
    print(table(["evaluations", "without", "with", "p", "as good after", "agent"], rows))


if __name__ == "__main__":
    main()
