"""Q-learning against random search on the same preset, seeds and budget.

usage: python -m benchmarks.agents [--preset=digits] [--seeds=5] [--agents=q_learning,random]
                                   [--runs=runs/agents] [flags]

Runs, one after the other, each agent with seeds 0, 1, ... and prints for each
the mean accuracy and reward of the first and the last quarter of its trials,
its best accuracy and its seconds, and then mean and standard deviation over
the seeds. Further flags go to every search. Trials without an accuracy
(infeasible or failed) are left out. Runs that exist are continued, not repeated.
"""

from __future__ import annotations

import pathlib
import statistics
import sys

from blockqnn.__main__ import main as blockqnn_main
from blockqnn.listing import table
from blockqnn.run_record import read_run
from blockqnn.trial import Trial

COLUMNS = (
    "accuracy, first quarter",
    "accuracy, last quarter",
    "reward, first quarter",
    "reward, last quarter",
    "best accuracy",
    "best reward",
    "seconds",
    "different blocks",
)


def figures(trials: list[Trial]) -> list[float]:
    """The row of a run."""
    valued = [trial for trial in trials if trial.accuracy is not None]
    quarter = len(valued) // 4
    first, last = valued[:quarter], valued[-quarter:]

    def mean(part: list[Trial], name: str) -> float:
        return statistics.mean(getattr(trial, name) for trial in part)

    return [
        mean(first, "accuracy"),
        mean(last, "accuracy"),
        mean(first, "reward"),
        mean(last, "reward"),
        max(trial.accuracy or 0.0 for trial in valued),
        max(trial.reward or 0.0 for trial in valued),
        sum(trial.seconds for trial in trials),
        len({trial.hash for trial in valued}),
    ]


def main() -> None:
    """Runs every agent with every seed and prints the tables."""
    words = sys.argv[1:]
    own = {
        "preset": "digits",
        "seeds": "5",
        "agents": "q_learning,random",
        "runs": "runs/agents",
    }
    rest = []
    for word in words:
        name, separator, value = word.removeprefix("--").partition("=")
        if separator and name in own:
            own[name] = value
        else:
            rest.append(word)
    results: dict[str, list[list[float]]] = {agent: [] for agent in own["agents"].split(",")}
    rows = []
    for seed in range(int(own["seeds"])):
        # The agents take turns, so that a machine that slows down slows both.
        for agent in results:
            run_dir = pathlib.Path(own["runs"]) / f"{own['preset']}-{agent}-{seed}"
            flags = [f"--preset={own['preset']}", f"--agent={agent}", f"--seed={seed}"]
            status = blockqnn_main(["search", *flags, f"--run_dir={run_dir}", *rest])
            if status:
                sys.exit(status)
            results[agent].append(figures(read_run(run_dir).trials))
            rows.append(
                [f"{value:.2f}" for value in results[agent][-1]] + [f"{agent}, seed {seed}"]
            )
    summaries = []
    for agent, runs in results.items():
        columns = list(zip(*runs, strict=True))
        summaries.append(
            [
                f"{statistics.mean(column):.2f} +- {statistics.stdev(column):.2f}"
                if len(column) > 1
                else f"{column[0]:.2f}"
                for column in columns
            ]
            + [agent]
        )
    print()
    print(table([*COLUMNS, "run"], rows))
    print()
    print(table([*COLUMNS, "agent"], summaries))


if __name__ == "__main__":
    main()
