"""What a search says when it has come to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from blockqnn.errors import FAILED
from blockqnn.evaluation.contract import PYTHON
from blockqnn.evaluation.table import NOT_IN_TABLE
from blockqnn.invocation import command, quoted
from blockqnn.listing import best_blocks, counted
from blockqnn.runs.rounds import parse_rounds
from blockqnn.runs.run_record import read_run
from blockqnn.runs.spending import nothing_trained, time_spent
from blockqnn.searching.refusals import warning_afterwards
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.tensorboard.command import DIRECTORY
from blockqnn.terminal import terminal_of
from blockqnn.trial import Status, Trial

_SHOWN_AT_THE_END = 5
_FIRST_CHILDREN = 20
"""Most programs are compiled for the first children; later ones share them."""


def print_result(settings: SearchSettings, run: RunSettings, stream: TextIO) -> int:
    """Prints what a search has found, or why it has found nothing.

    Args:
        settings: what was searched.
        run: where it is.
        stream: where to print.

    Returns:
        The exit status: 1 where no block was trained.
    """
    result, by_function = read_run(run.run_dir), settings.evaluator == PYTHON
    statuses = [trial.status for trial in result.trials]
    counts = ", ".join(
        f"{statuses.count(status)} {status}"
        for status in (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED)
    )
    share = statuses.count(Status.INFEASIBLE) / max(1, len(statuses))
    if result.shared or result.mixed:
        counts = counts.replace(Status.COMPLETED, "scored")
    print(f"\n{len(statuses)} trials: {counts} ({100 * share:.0f} % infeasible).", file=stream)
    if warning := warning_afterwards(settings, result.trials):
        print(warning, file=stream)
    lacking = sum(trial.reason == NOT_IN_TABLE for trial in result.trials)
    if lacking:
        print(f"The table lacks {lacking:,} of them, which were never judged.", file=stream)
    trained = [trial for trial in result.trials if trial.status is Status.COMPLETED]
    if any(trial.seconds > 0 for trial in trained) and not result.notice and not by_function:
        print(in_words(trained, time_spent(result.trials)), file=stream)
    if result.notice:
        print(result.notice, file=stream)
    best = result.by_reward[:_SHOWN_AT_THE_END]
    if not best:
        print(f"\n{nothing_trained(result.trials)}", file=stream)
        print(f"\nAll trials:          {command('trials', run.run_dir)}", file=stream)
        return FAILED
    title = "The derived cell, then others by reward" if result.mixed else "Best blocks by reward"
    if result.results:
        title = "The derived cell, those of other parts by their mixtures, then others by reward"
    print(f"\n{title}:\n{best_blocks(best, terminal_of(stream))}", file=stream)
    if parse_rounds(run.finals):
        # What to do next, the finals say.
        return 0
    if result.final_ranking:
        winner = result.final_ranking[0]
        print(f"\nIts finals were won by trial {winner}, which #best names.", file=stream)
        if result.stale_finals:
            print(result.stale_finals, file=stream)
    out_dir = f"{run.run_dir}-trained"
    print(f"\nLook at the best:    {command('show', f'{run.run_dir}#best')}", file=stream)
    space = result.space
    if space.tabular:
        decided = ", ".join(map(space.action_title, result.best(1)[0].code))
        print(f"Its row:             {decided}", file=stream)
    elif not by_function:
        best_block = f"{run.run_dir}#best"
        print(
            f"Train it to the end: {command('train', best_block, f'--out_dir={out_dir}')}"
            f"\nThen take it home:   {command('export', out_dir, f'--to={run.run_dir}-exported')}"
            "  (--framework=torch for PyTorch)",
            file=stream,
        )
    print(
        f"All of the run:      {command('report', run.run_dir)}"
        f"\nAll trials:          {command('trials', run.run_dir)}",
        file=stream,
    )
    if run.tensorboard:
        print(
            f"Learning curves:     tensorboard --logdir {quoted(str(run.run_dir / DIRECTORY))}",
            file=stream,
        )
    return 0


def in_words(trained: list[Trial], spent: Mapping[str, Any]) -> str:
    """Where the time of a search went.

    Args:
        trained: trials that were trained, at least one.
        spent: what `blockqnn.runs.spending.time_spent` says of all trials.

    Returns:
        Sentences.
    """
    in_order = sorted(trained, key=lambda trial: trial.finished or 0.0)
    first, later = in_order[:_FIRST_CHILDREN], in_order[_FIRST_CHILDREN:]

    def waiting(trials: list[Trial]) -> str:
        seconds = sum(trial.seconds for trial in trials)
        share = sum(trial.waiting_seconds for trial in trials) / max(seconds, 1e-9)
        return f"{100 * share:.1f} %"

    shares = {name: f"{100 * share:.0f} %" for name, share in spent["shares"].items()}
    several, whose = (f"{len(first)} children", "their") if first[1:] else ("child", "its")
    text = (
        f"{counted(spent['lanes'], 'worker')} for {counted(round(spent['span']), 'second')}: "
        f"{shares['training']} of the time training, {shares['waiting']} waiting for a compiler, "
        f"{shares['idle']} idle.\n"
        f"The first {several} waited for a compiler in {waiting(first)} of {whose} time"
    )
    if later:
        text += f", the other {len(later)} in {waiting(later)}"
    saved = round(sum(trial.saved for trial in trained))
    kept = f" Programs kept from before saved {counted(saved, 'second')} of compiling."
    return f"{text}.{kept if saved else ''}"
