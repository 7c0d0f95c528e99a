"""The flags of supernets that are split along edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.networks.spaces.registry import space_named
from blockqnn.searching.supernet_paths import all_epochs
from blockqnn.supernet_settings import AUTO, SupernetSettings


def define_each(flags: FlagSet, kinds: tuple[str, ...]) -> None:
    """Adds a group for them.

    Args:
        flags: of a verb.
        kinds: of weights that may be split, values of --weights.
    """
    usual = SupernetSettings()
    flags.group("Split (--weights=shared or mixture)", Owner("weights", kinds))
    flags.text(
        "split",
        "",
        "edges along which the supernet is split after its training, with commas between them: "
        "few-shot; each part is trained on, and scores the designs that have its operations, or a "
        "design follows from the best part of a mixture. auto finds the edge, and two groups of "
        "its operations, by how far their gradients disagree",
    )
    flags.integer("split_epochs", usual.split_epochs, "for which each part is trained on")
    flags.integer(
        "split_levels",
        usual.split_levels,
        "splits one after the other, in which each part is trained on for --split_epochs and split "
        "again: any number with --split=auto, or one for each named edge; 1 splits all of these "
        "together",
        1,
    )
    flags.integer(
        "split_batches",
        usual.split_batches,
        "training batches, each with a random design, of which --split=auto compares gradients",
        1,
    )
    flags.switch(
        "control",
        usual.control,
        "beside the parts train the whole supernet on for as many steps as all of them together",
    )


def edges_of(
    values: dict[str, Any], space: SearchSpace, edges: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The edges along which a supernet is split.

    Args:
        values: of the flags, by name.
        space: of the designs.
        edges: that there are, with what a part may have on each.

    Returns:
        Names of edges; `auto` alone where gradients are to say; none for no split.

    Raises:
        UserError: if there are no such edges, or flags contradict one another.
    """
    split = tuple(filter(None, values["split"].split(",")))
    if bool(split) != bool(values["split_epochs"]):
        raise UserError("--split and --split_epochs go together: name edges, and epochs.")
    automatic = split == (AUTO,)
    levels = values["split_levels"]
    if automatic and levels > len(edges):
        raise UserError(
            f"--split=auto splits an edge at each of --split_levels={levels}; the space "
            f"{space.name} has {len(edges)} edges."
        )
    if not automatic and levels not in (1, max(1, len(split))):
        raise UserError(
            f"--split_levels={levels} needs --split=auto, or {levels} edges in --split; given "
            f"{len(split)}."
        )
    for edge in () if automatic else split:
        if edge not in edges:
            allowed = ", ".join(edges) or f"none, since {space.name} has no such edges"
            raise UserError(f"--split names the edge {edge!r}; allowed: {allowed}.")
    if len(set(split)) < len(split):
        raise UserError(f"--split={values['split']} names an edge twice.")
    if values["control"] and not split:
        raise UserError("--control is the control of --split; there is none.")
    return split


def epochs_of_mixture(values: dict[str, Any]) -> int:
    """How many epochs a mixture and its parts have together.

    Args:
        values: of the flags, by name, which need not go together.

    Returns:
        Epochs; those of the mixture alone where the split is none that there can be.
    """
    edges = space_named(values["space"]).split_choices()
    own = SupernetSettings(
        epochs=values["supernet_epochs"],
        split=tuple(filter(None, values["split"].split(","))),
        split_epochs=values["split_epochs"],
        split_levels=values["split_levels"],
        control=values["control"],
        mixture=MixtureSettings(),
    )
    if not own.finds_split and not set(own.split) <= set(edges):
        # It is refused in a moment.
        return own.epochs
    return all_epochs(own, space_named(values["space"]))
