"""How the supernet of a run was trained, for the report, and which figures are of its weights."""

from __future__ import annotations

from typing import Any

from blockqnn.listing import counted, duration, number
from blockqnn.report.columns import short
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.supernet_record import Epoch, SupernetRecord, split_words
from blockqnn.trial import Status

MOST_PARTS = 12
"""Banks that have a line each; 125 of them would be one blot."""


def supernet_of(run: RunRecord) -> dict[str, Any] | None:
    """The supernet of a run.

    Args:
        run: as it was read.

    Returns:
        `sentences`; `parts`, each with its `name`, the `loss` of each epoch and the epoch at
        which it began, `from` (0 for one that goes on from none); `more`, the banks that have no
        line; `reward`, in percent, and `entropy`, in nats, after each epoch of the first bank,
        None without an agent that learns from scores; `checked`, designs that were also trained by
        themselves, each with its `trial`, `score` and `own` accuracy in percent, best score
        first. None where designs share no weights.
    """
    found = run.supernet
    if found is None:
        return None
    parts = found.parts
    whole = found.of(parts[0]) if parts else []
    begun = len(whole)
    return {
        "sentences": _sentences(run, found),
        "parts": [
            {
                "name": part,
                "from": 0 if part == parts[0] else begun,
                "loss": [short(epoch.loss) for epoch in found.of(part)],
            }
            for part in parts[:MOST_PARTS]
        ],
        "more": max(0, len(parts) - MOST_PARTS),
        "reward": _of_agent(whole, lambda e: None if e.reward is None else 100 * e.reward),
        "entropy": _of_agent(whole, lambda e: e.agent.get("entropy")),
        "checked": _checked(run, found),
    }


def _of_agent(epochs: list[Epoch], value: Any) -> list[float | None] | None:
    found = [value(epoch) for epoch in epochs]
    return None if all(each is None for each in found) else [short(each) for each in found]


def _checked(run: RunRecord, found: SupernetRecord) -> list[dict[str, Any]]:
    scores = {t.number: t.accuracy for t in run.trials if t.status is Status.COMPLETED}
    checked = [
        {"trial": trial, "score": short(scores.get(trial)), "own": short(own)}
        for trial, own in found.own.items()
    ]
    return sorted(checked, key=lambda each: (-(each["score"] or 0.0), each["trial"]))


def _sentences(run: RunRecord, found: SupernetRecord) -> list[str]:
    done, total = len(found.epochs), found.total
    of = "" if done == total else f" of {total:,}"
    banks = "" if len(found.parts) < 2 else f" of {counted(len(found.parts), 'supernet')}"
    sentences = [
        f"{counted(done, 'epoch')}{of}{banks} trained shared weights on {found.images:,} "
        f"{run.layout.examples} in "
        f"{duration(found.seconds)} of workers."
    ]
    sentences += [split_words(name, *split) for name, split in found.splits.items()]
    own = ["accuracies in the finals"] if run.finals else []
    if found.own:
        own.append("last column of the table below")
    of_own = (
        f"Those of networks of their own are the {' and the '.join(own)}."
        if own
        else "No network of its own has been trained yet."
    )
    sentences.append(
        "Rewards and accuracies of trials, in all charts and lists of this page, are scores by "
        f"these weights on the validation {run.layout.examples}. {of_own}"
    )
    rewards = [epoch.reward for epoch in found.epochs if epoch.reward is not None]
    if rewards:
        sentences.append(
            "The agent learned from scores on single batches after each epoch: their mean was "
            f"{number(100 * rewards[0])} % after the first and {number(100 * rewards[-1])} % after "
            "the last, by better weights and by a better policy alike."
        )
    return sentences
