"""How well the supernets of a run rank cells that a table has measured, beside their parameters.

RUN_DIR is a run with shared weights, split or not (`search --preset=few_shot_nasbench201`),
whose trials are the cells; TABLE has their accuracies. Each bank of the run, the whole
supernet, the parts that own the cells and the control, scores every cell with each kind of
batch norm's statistics; the table has Kendall's tau with the accuracy after 200 epochs, of
all connected cells and of the truly best tenth, the accuracy of the cell that a
score would choose, and paired differences with bootstrap intervals. What is scored is kept in
--out, and the same command goes on; `--kept=FILE` makes the table of such a file alone, and
`--kept=FILE,FILE,...` that of several seeds, with means over them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks._arguments import listed, make_parser
from blockqnn.calibration.rank_correlation import bootstrap, kendall
from blockqnn.evaluation.table import read_table
from blockqnn.flags.recorded_run import parse_recorded
from blockqnn.listing import number, table
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.spaces.registry import design_of, design_plan, parse, space_named, write
from blockqnn.runs.run_record import read_run
from blockqnn.searching.supernet_paths import CONTROL, WHOLE, part_name, parts_of
from blockqnn.supernet_settings import OF_BATCH, RECALIBRATED, RUNNING
from blockqnn.trial import Job
from blockqnn.workers.choice import banks_of

FINAL = "cifar10_test_hp200_mean"
PARAMETERS, PARTS = "number of parameters", "parts"
CONNECTED = 11.0
"""Cells that compute nothing stay at the accuracy of guessing, in percent."""


def banks_for(settings: Any, code: Any) -> dict[str, str]:
    """The banks that can score a cell, by what they are."""
    own, space = settings.supernet, space_named(settings.space)
    parts = {part.name: part for part in parts_of(own, space)}
    found = {WHOLE: parts[WHOLE].last_bank}
    if own.split:
        on = space.on_edges(code)
        found[PARTS] = parts[part_name({edge: (on[edge],) for edge in own.split})].last_bank
    if CONTROL in parts:
        found[CONTROL] = parts[CONTROL].last_bank
    return found


def opened(run_dir: pathlib.Path, cells: int) -> tuple[Any, Any, list[Any]]:
    """The settings of a run with shared weights, how it was carried out, and its cells.

    Args:
        run_dir: of the run.
        cells: most of them; 0 for all.

    Returns:
        Settings of the search and of the run, and codes.
    """
    record = read_run(run_dir)
    settings, run = parse_recorded(run_dir, record.flags, [f"--run_dir={run_dir}"])
    if settings.supernet is None:
        sys.exit(f"{run_dir} has no shared weights.")
    codes = list(dict.fromkeys(trial.code for trial in record.trials))
    return settings, run, codes[: cells or len(codes)]


def scored(
    own: Any, settings: Any, run: Any, codes: list[Any], ends: float = math.inf
) -> dict[str, dict[str, float]]:
    """The scores of every cell, of the file or made now.

    Args:
        own: the arguments of the benchmark.
        settings: of the search.
        run: how it was carried out.
        codes: cells.
        ends: when to stop, by `time.monotonic`; what is scored by then is in the file.

    Returns:
        {what: {code: percent}}; nothing if scores are missing yet.
    """
    found: dict[str, dict[str, float]] = {}
    if own.out.exists():
        found = read_scores(json.loads(own.out.read_text(encoding="utf-8")))
    for kind in own.statistics:
        missing = [
            (what, code, bank)
            for code in codes
            for what, bank in banks_for(settings, code).items()
            if write(code) not in found.get(f"{what}, {kind}", {})
        ]
        if not missing:
            continue
        from blockqnn.evaluation.shared import SharedEvaluator

        supernet = dataclasses.replace(settings.supernet, statistics=kind)
        evaluator = SharedEvaluator(
            settings.data,
            supernet,
            settings.recipe,
            settings.layout,
            run.worker,
            banks_of(run),
        )
        # One bank after another: each is read once.
        for place, (what, code, bank) in enumerate(sorted(missing, key=lambda one: one[2]), 1):
            outcome = evaluator.evaluate(Job(place, code, "", 0, bank=bank), 0)
            if outcome.reason:
                sys.exit(f"{write(code)}: {outcome.reason}")
            found.setdefault(f"{what}, {kind}", {})[write(code)] = outcome.accuracies[-1]
            late = time.monotonic() > ends
            if place % 100 == 0 or place == len(missing) or late:
                print(f"  {kind}: {place} of {len(missing)} scores", flush=True)
                kept = {"layout": settings.layout.as_json(), **as_lists(found)}
                write_whole(own.out, json.dumps(kept))
            if late:
                return {}
    return found


def write_whole(path: pathlib.Path, text: str) -> None:
    """Writes a file that is there as a whole or as it was before."""
    beside = path.with_name(path.name + ".unfinished")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def as_lists(found: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Scores as a file has them: the cells once, then a number for each, if it is known."""
    codes = list(dict.fromkeys(code for these in found.values() for code in these))
    lists = {what: [these.get(code) for code in codes] for what, these in found.items()}
    return {"cells": codes, "scores": lists}


def read_scores(kept: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The inverse of `as_lists`."""
    return {
        what: {c: v for c, v in zip(kept["cells"], these, strict=True) if v is not None}
        for what, these in kept["scores"].items()
    }


def in_words(scores: Mapping[str, np.ndarray], truth: np.ndarray) -> str:
    """The tables.

    Args:
        scores: [N] by what they are, parameters among them.
        truth: [N] accuracies in percent.

    Returns:
        Ranks, and paired differences.
    """
    best = truth >= np.quantile(truth, 0.9)
    rows = []
    for what, values in scores.items():
        tau, top = (bootstrap(kendall, values[of], truth[of]) for of in (truth > 0, best))
        rows.append(
            [
                *(f"{number(t.value)} [{number(t.low)}, {number(t.high)}]" for t in (tau, top)),
                number(truth[int(np.argmax(values))]),
                what,
            ]
        )
    lines = [
        f"{len(truth)} connected cells, whose best has {number(truth.max())} % and whose mean is "
        f"{number(truth.mean())} %:",
        table(["tau, all", "tau, best tenth", "first choice %", "of"], rows),
    ]
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(truth), (1000, len(truth)))
    for name, other in _pairs(list(scores)):
        gains = kendall(scores[name][drawn], truth[drawn]) - kendall(
            scores[other][drawn], truth[drawn]
        )
        low, high = np.nanpercentile(gains, (2.5, 97.5))
        whole = kendall(scores[name], truth) - kendall(scores[other], truth)
        lines.append(
            f"{name} minus {other}: {number(float(whole), 3)} [{number(low, 3)}, {number(high, 3)}]"
        )
    return "\n".join(lines)


def over_seeds(seeds: Sequence[tuple[Mapping[str, np.ndarray], np.ndarray]]) -> str:
    """The table of several seeds.

    Args:
        seeds: of each the scores, as for `in_words`, and the accuracies.

    Returns:
        Means with the deviation of a sample, and paired differences with their standard error.
    """
    taus: dict[str, list[float]] = {}
    tops: dict[str, list[float]] = {}
    firsts: dict[str, list[float]] = {}
    shared = [what for what in seeds[0][0] if all(what in scores for scores, _ in seeds)]
    for scores, truth in seeds:
        best = truth >= np.quantile(truth, 0.9)
        for what in shared:
            values = scores[what]
            taus.setdefault(what, []).append(float(kendall(values, truth)))
            tops.setdefault(what, []).append(float(kendall(values[best], truth[best])))
            firsts.setdefault(what, []).append(float(truth[int(np.argmax(values))]))
    rows = [[*(_spread(each[what]) for each in (taus, tops, firsts)), what] for what in shared]
    counts = ", ".join(str(len(truth)) for _, truth in seeds)
    lines = [
        f"{len(seeds)} seeds of {counts} connected cells, mean and deviation:",
        table(["tau, all", "tau, best tenth", "first choice %", "of"], rows),
    ]
    for name, other in _pairs(shared):
        gains = [a - b for a, b in zip(taus[name], taus[other], strict=True)]
        error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
        lines.append(
            f"{name} minus {other}: {number(float(np.mean(gains)), 3)} +- {number(error, 3)}, "
            "standard error"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f} +- {np.std(values, ddof=1):.2f}"


def _pairs(known: Sequence[str]) -> list[tuple[str, str]]:
    """What is compared with what: parts with what they came from, else all with parameters."""
    found = []
    for kind in (RECALIBRATED, OF_BATCH, RUNNING):
        name = f"{PARTS}, {kind}"
        for other in (f"{CONTROL}, {kind}", f"{WHOLE}, {kind}", PARAMETERS):
            if name in known and other in known:
                found.append((name, other))
    return found or [(what, PARAMETERS) for what in known if what != PARAMETERS]


def scores_and_truth(
    own: Any, found: Mapping[str, Mapping[str, float]], layout: Layout
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores of connected cells, parameters among them, and what the table says of these cells.

    Args:
        own: the arguments of the benchmark.
        found: {what: {code: percent}}.
        layout: of the networks.

    Returns:
        [N] by what they are; [N] accuracies in percent.
    """
    accuracies = read_table(own.table, (own.column,))
    truth = {}
    for text in next(iter(found.values())):
        row = accuracies.find(parse(text))
        assert row is not None, f"{text} is not in the table"
        accuracy = row[1][0]
        if accuracy > CONNECTED:
            truth[text] = accuracy
    scores = {what: np.array([these[text] for text in truth]) for what, these in found.items()}
    plans = [design_plan(design_of(parse(text)), layout) for text in truth]
    scores[PARAMETERS] = np.array([float(parameters(plan)) for plan in plans])
    return scores, np.array(list(truth.values()))


def show(own: Any, found: Mapping[str, Mapping[str, float]], layout: Layout) -> None:
    """Prints the table of some scores: {what: {code: percent}}."""
    print(in_words(*scores_and_truth(own, found, layout)))


def layout_from(fields: Mapping[str, Any]) -> Layout:
    """A layout that was kept."""
    return Layout(**{**fields, "filters": tuple(fields["filters"])})


def main() -> None:
    """Scores, and prints the table."""
    parser = make_parser("supernets", __doc__)
    parser.add_argument("table", help="CSV file of accuracies")
    parser.add_argument("run_dir", nargs="?", type=pathlib.Path, help="the run")
    parser.add_argument(
        "--kept", type=listed(pathlib.Path), help="files of scores, instead of a run"
    )
    parser.add_argument("--column", default=FINAL, help="of the table, the truth")
    parser.add_argument("--cells", type=int, default=0, help="of the run's; 0 for all")
    parser.add_argument(
        "--statistics",
        type=listed(str),
        default=f"{RECALIBRATED},{OF_BATCH},{RUNNING}",
        help="of batch norm",
    )
    parser.add_argument("--out", type=pathlib.Path, help="file; RUN_DIR/scores.json if not given")
    own = parser.parse_args()
    if (own.run_dir is None) == (own.kept is None):
        sys.exit("Name a RUN_DIR, or --kept.")
    if own.kept is not None:
        seeds = []
        for path in own.kept:
            kept = json.loads(path.read_text(encoding="utf-8"))
            seeds.append(scores_and_truth(own, read_scores(kept), layout_from(kept["layout"])))
        print(in_words(*seeds[0]) if len(seeds) == 1 else over_seeds(seeds))
        return
    own.out = own.out or own.run_dir / "scores.json"
    settings, run, codes = opened(own.run_dir, own.cells)
    found = scored(own, settings, run, codes)
    show(own, found, settings.layout)


if __name__ == "__main__":
    main()
