"""The flags of the evaluators of a search: whom accuracies come from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from blockqnn.evaluation.contract import DRY, PROXY, TABLE, TRAIN
from blockqnn.evaluation.proxy import PROXIES
from blockqnn.evaluation.table_space import made_space
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.networks.spaces.registry import space_named
from blockqnn.settings import DrySettings, TableSettings


def define(flags: FlagSet) -> None:
    """Adds the choice of an evaluator, in the present group."""
    flags.choice(
        "evaluator",
        TRAIN,
        (TRAIN, TABLE, DRY, PROXY),
        "train the children, look their accuracies up, make them up at once, or score children "
        "that are not trained",
    )


def define_each(flags: FlagSet) -> None:
    """Adds a group for each evaluator that has flags; those of training are `child_training`."""
    flags.group("Evaluator table (measured accuracies)", Owner("evaluator", (TABLE,)))
    flags.path(
        "table",
        "",
        "CSV file of accuracies in percent, whose column code or arch_str has the designs",
    )
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
    flags.group("Evaluator proxy (scores of untrained children)", Owner("evaluator", (PROXY,)))
    flags.choice(
        "proxy",
        "synaptic_flow",
        tuple(PROXIES),
        "score that is the reward, uncorrected by mu and rho",
    )


def proxy(values: dict[str, Any]) -> str:
    """The score of untrained children.

    Args:
        values: of the flags, by name.

    Returns:
        Its name; empty where the evaluator is another.
    """
    return str(values["proxy"]) if values["evaluator"] == PROXY else ""


def table(values: dict[str, Any]) -> TableSettings:
    """Where accuracies are looked up.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    made = values["space"] if space_named(values["space"]).tabular else ""
    return TableSettings(values["table"], values["search_column"], made)


def take_space(flags: FlagSet, named: Collection[str]) -> None:
    """Gives a space that a table makes its whole name, and rewards without the cost of networks.

    Args:
        flags: of `search`, read.
        named: those that the user has named.

    Raises:
        UserError: if the table cannot be used.
    """
    values = flags.chosen()
    flags.values["space"].value = made_space(values["space"], values["table"])
    if space_named(flags.chosen()["space"]).tabular:
        # Nobody knows what the designs of a table cost.
        for name in {"mu", "rho"}.difference(named):
            flags.values[name].value = 0.0


def dry(values: dict[str, Any]) -> DrySettings:
    """How long a made-up child takes.

    Args:
        values: of the flags, by name.

    Returns:
        The settings.
    """
    return DrySettings(values["dry_seconds"], values["dry_spread"])
