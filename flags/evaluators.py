"""The flags of the evaluators of a search: whom accuracies come from."""

from __future__ import annotations

from typing import Any

from blockqnn.evaluation.contract import DRY, TABLE, TRAIN
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.settings import DrySettings, TableSettings


def define(flags: FlagSet) -> None:
    """Adds the choice of an evaluator, in the present group."""
    flags.choice(
        "evaluator",
        TRAIN,
        (TRAIN, TABLE, DRY),
        "train the children, look their accuracies up, or make them up at once",
    )


def define_each(flags: FlagSet) -> None:
    """Adds a group for each evaluator that has flags; those of training are `child_training`."""
    flags.group("Evaluator table (measured accuracies)", Owner("evaluator", (TABLE,)))
    flags.path("table", "", "CSV file of accuracies with a column code or arch_str")
    flags.text(
        "search_column", "", "column of the table with the accuracies that the search sees, in %"
    )
    flags.group("Evaluator dry (made-up accuracies)", Owner("evaluator", (DRY,)))
    flags.number(
        "dry_seconds", DrySettings.seconds, "median seconds that a made-up child takes", least=0
    )
    flags.number(
        "dry_spread",
        DrySettings.spread,
        "standard deviation of the logarithm of a made-up child's seconds",
        least=0,
        most=10,
    )


def table(values: dict[str, Any]) -> TableSettings:
    """Where accuracies are looked up.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    return TableSettings(values["table"], values["search_column"])


def dry(values: dict[str, Any]) -> DrySettings:
    """How long a made-up child takes.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    return DrySettings(values["dry_seconds"], values["dry_spread"])
