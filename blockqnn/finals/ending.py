"""What finals say at their end: who won, who moved, and what a pick by early reward costs."""

from __future__ import annotations

import json
from typing import Any, TextIO

from blockqnn.calibration.early_pick import (
    correlation_facts,
    correlation_words,
    pick_words,
    points_behind,
)
from blockqnn.inspection.finals_table import (
    failed_words,
    finals_heading,
    finals_table,
    ranked_facts,
)
from blockqnn.invocation import command
from blockqnn.listing import DRY_NOTICE
from blockqnn.measure import measure_in
from blockqnn.networks.spaces.registry import write
from blockqnn.runs.finals import Finals
from blockqnn.runs.rounds import short_rounds
from blockqnn.runs.run_record import RunRecord
from blockqnn.terminal import terminal_of


def print_result(run: RunRecord, as_json: bool, stream: TextIO) -> int:
    """Prints the result of finals.

    Args:
        run: whose finals have ended.
        as_json: print one JSON object.
        stream: where to print.

    Returns:
        The exit status.
    """
    finals = run.finals
    assert finals is not None and finals.ended
    if as_json:
        print(json.dumps(result_facts(run, finals)), file=stream)
        return 0
    print(f"\n{finals_heading(run)}", file=stream)
    print(finals_table(run, terminal_of(stream)), file=stream)
    if failed := failed_words(finals):
        print(failed, file=stream)
    print(file=stream)
    picked = pick_words(finals, measure_in(run.layout), run.chosen)
    for words in filter(None, (correlation_words(run, finals), picked)):
        print(words, file=stream)
    if run.dry:
        print(DRY_NOTICE, file=stream)
    best = f"{run.path}#best"
    print(
        f"\nLook at the winner:  {command('show', best)}  (#best_early is the best by reward)"
        f"\nTrain it to the end: {command('train', best, f'--out_dir={run.path}-trained')}"
        f"\nThen take it home:   "
        f"{command('export', f'{run.path}-trained', f'--to={run.path}-exported')}"
        "  (--framework=torch for PyTorch)"
        f"\nAll of the run:      {command('report', run.path)}",
        file=stream,
    )
    return 0


def result_facts(run: RunRecord, finals: Finals) -> dict[str, Any]:
    """The result of finals for programs.

    Args:
        run: whose finals have ended.
        finals: of the run.

    Returns:
        Rounds, ranking, rank correlations and what the best by early reward would have cost;
        accuracies in percent.
    """
    by_number = {trial.number: trial for trial in run.trials}
    first = finals.plan.trials[0]
    ranking = []
    for trial in map(by_number.__getitem__, finals.ranking):
        own = {
            "early_accuracy": trial.accuracy,
            "reward": trial.reward,
            "parameters": trial.parameters,
            "code": write(trial.code),
        }
        ranking.append(ranked_facts(run, trial.number) | own)
    rounds = [
        {
            "blocks": len(order),
            "epochs": one.epochs,
            "seeds": one.seeds,
            "order": order,
            "spearman": correlation_facts(run, finals, place),
        }
        for place, (one, order) in enumerate(
            zip(finals.plan.rounds, finals.orders, strict=True), start=1
        )
    ]
    return {
        "run": str(run.path),
        "dry": run.dry,
        "rounds_flag": short_rounds(finals.plan.rounds),
        "train_examples": finals.plan.train_examples,
        "recipe": list(finals.plan.recipe),
        "trained": finals.plan.trained,
        "stale": run.stale_finals or None,
        "rounds": rounds,
        "ranking": ranking,
        "best_early": {"trial": first, "points_behind": points_behind(finals)},
        "seconds": sum(training.seconds for training in finals.trainings),
    }
