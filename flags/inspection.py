"""The flags of the verbs that look at blocks and runs: `show` and `trials`."""

from __future__ import annotations

import math
import pathlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blockqnn.flags import child_network, parsing
from blockqnn.flags.verb import Verb
from blockqnn.inspection import selection
from blockqnn.inspection.selection import Selection
from blockqnn.inspection.trials_command import FORMATS, TABLE, TrialsSettings
from blockqnn.trial import Status

if TYPE_CHECKING:
    from blockqnn.inspection.show_command import ShowSettings

_LEAST = {"reward": "reward in percent", "accuracy": "accuracy in percent"}
_MOST = {
    "parameters": "trained numbers of the child, as in 50k",
    "flops": "FLOPs of the child, one image, forward, as in 2.5M",
    "seconds": "seconds that the child had a device",
    "density": "edges over nodes",
    "depth": "convolutions on the longest path of the child",
}


def define_show() -> parsing.FlagSet:
    """The flags of `show`, at their defaults."""
    flags = parsing.FlagSet(
        "show",
        "BLOCK [BLOCK]",
        "Shows a block in words and figures, and what became of it if it is a trial; or two "
        "blocks side by side. BLOCK is a published name (inception, residual, block-qnn-a, "
        "block-qnn-b, block-qnn-s), a code, RUN_DIR#NUMBER, RUN_DIR#best_early for the highest "
        "reward, or RUN_DIR#best for the winner of finals or else the same; a RUN_DIR alone lists "
        "its best blocks and its finals.",
    )
    flags.group("Output")
    flags.choice("format", "text", ("text", "json"), "output for people, or one JSON object")
    flags.group("Which trials of a RUN_DIR, and in which order")
    flags.integer("top", 10, "trials to list", 1)
    flags.choice("sort", "reward", tuple(selection.FIGURES), "figure to sort by")
    flags.choice(
        "order",
        selection.BEST_FIRST,
        selection.ORDERS,
        "order of the list; best_first is high rewards and accuracies, low costs and numbers",
    )
    flags.choice(
        "status",
        Status.COMPLETED.value,
        (*selection.STATUSES, selection.ANY),
        "status of the trials",
    )
    flags.special(
        "iteration",
        None,
        "iterations in which the trials were suggested, as in 20 or 20-29; empty for all",
        _parse_iterations,
        "a number from 1 on, or two with - between them, as in 20-29",
    )
    for name, meaning in _LEAST.items():
        _define_bound(flags, f"min_{name}", f"least {meaning}")
    for name, meaning in _MOST.items():
        _define_bound(flags, f"max_{name}", f"most {meaning}")
    flags.special(
        "has",
        (),
        "features that the blocks must have, with commas between them: the layers "
        f"{', '.join(selection.LAYERS)}, or "
        + ", ".join(f"{short} ({motif})" for short, motif in selection.SHORT_NAMES.items()),
        _parse_features,
        f"some of {', '.join((*selection.LAYERS, *selection.SHORT_NAMES))}, with commas between "
        "them",
    )
    child_network.define_blocks(
        flags, "Child network (where a block is of a run, the run's layout is taken)"
    )
    return flags


def parse_show(arguments: Sequence[str]) -> ShowSettings:
    """Turns the command line of `show` into settings.

    Args:
        arguments: what follows `show`.

    Returns:
        What to show.

    Raises:
        UserError: if the command line cannot be used.
        LayoutError: if the layout cannot be built.
    """
    from blockqnn.inspection.show_command import ShowSettings

    flags = define_show()
    words = flags.words(arguments, "one BLOCK or RUN_DIR, or two BLOCKs", most=2)
    value = flags.chosen()
    return ShowSettings(
        references=tuple(words),
        max_layers=value["max_layers"],
        layout=child_network.chosen_layout(flags),
        selection=Selection(
            sort=value["sort"],
            order=value["order"],
            status=value["status"],
            iterations=value["iteration"],
            least=_given(value, "min_", _LEAST),
            most=_given(value, "max_", _MOST),
            has=value["has"],
        ),
        top=value["top"],
        as_json=value["format"] == "json",
    )


def define_trials() -> parsing.FlagSet:
    """The flags of `trials`, at their defaults."""
    flags = parsing.FlagSet("trials", "RUN_DIR", "Lists every trial of a run, in order.")
    flags.group("Output")
    flags.choice(
        "format", TABLE, FORMATS, "output for people, one JSON object a line, or a spreadsheet"
    )
    return flags


def parse_trials(arguments: Sequence[str]) -> TrialsSettings:
    """Turns the command line of `trials` into settings.

    Args:
        arguments: what follows `trials`.

    Returns:
        What to list.

    Raises:
        UserError: if the command line cannot be used.
    """
    flags = define_trials()
    words = flags.words(arguments, "one RUN_DIR")
    return TrialsSettings(pathlib.Path(words[0]), flags.chosen()["format"])


def _define_bound(flags: parsing.FlagSet, name: str, meaning: str) -> None:
    flags.special(
        name,
        None,
        f"{meaning}; empty for no limit",
        _parse_quantity,
        "a number, perhaps with k, M or G after it, as in 50k",
    )


def _parse_quantity(text: str) -> float | None:
    if not text:
        return None
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1])
    value = float(text) if factor is None else float(text[:-1]) * factor
    if not math.isfinite(value):
        raise ValueError
    return value


def _parse_iterations(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    first, separator, last = text.partition("-")
    found = int(first), int(last if separator else first)
    if not 1 <= found[0] <= found[1]:
        raise ValueError
    return found


def _parse_features(text: str) -> tuple[str, ...]:
    words = text.split(",") if text else []
    return tuple(selection.feature_named(word.strip()) for word in words)


def _given(values: Mapping[str, Any], prefix: str, names: Iterable[str]) -> dict[str, float]:
    """The bounds that were given, by the name of the figure."""
    bounds = {name: values[prefix + name] for name in names}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _run_show(settings: ShowSettings) -> int:
    from blockqnn.inspection.show_command import show

    return show(settings, sys.stdout)


SHOW = Verb("show", define_show, parse_show, _run_show, lists=True)


def _run_trials(settings: TrialsSettings) -> int:
    from blockqnn.inspection.trials_command import list_trials

    list_trials(settings, sys.stdout)
    return 0


TRIALS = Verb("trials", define_trials, parse_trials, _run_trials, lists=True)
