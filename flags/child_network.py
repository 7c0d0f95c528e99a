"""The flags of the layout of a child network, which several verbs have."""

from __future__ import annotations

import dataclasses
from typing import Any

from blockqnn.flags import flag_text, parsing
from blockqnn.flags.language import OWN_NODES, define_model
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import LANGUAGE, OF_CELLS, WHOLE, Layout
from blockqnn.networks.sizing import TOLERANCE
from blockqnn.networks.spaces.contract import MAX_LAYERS
from blockqnn.networks.spaces.registry import layouts, stacking_rules

_OF_A_LAYOUT = (
    *("layout", "filters", "repeats", "cells", "cell_rules", "network_rules"),
    *("node_rules", "untied"),
)
OWN_RULES = "own"
"""Of the flag that says how cells are stacked."""


def define_layout(flags: parsing.FlagSet, default: Layout) -> None:
    """Adds the flags of what stands around the blocks, without those of the images.

    Args:
        flags: that are added to, in their present group.
        default: what the flags say unless they are given.
    """
    flags.choice(
        "layout",
        default.kind,
        tuple(layouts()),
        "what stands around the blocks; unless it is named, the one of the search space",
    )
    flags.special(
        "filters",
        default.filters,
        "channels of the convolutions of each stage; of cells also one number, which doubles twice",
        flag_text.parse_filters,
        flag_text.FILTERS_ALLOWED,
    )
    flags.integer("repeats", default.repeats, "blocks in a stage (N)", 1)


def define_cells(
    flags: parsing.FlagSet, owners: tuple[str, ...] = OF_CELLS, otherwise: str = ""
) -> None:
    """Adds the flags of layouts of cells, in a group of their own.

    Args:
        flags: that are added to.
        owners: values of `--layout` with which they have an effect.
        otherwise: what holds first where a flag is not given, in words.
    """
    flags.group("Layouts of cells (--layout=cells)", parsing.Owner("layout", owners))
    flags.integer(
        "cells",
        0,
        f"cells in all, reductions included; 0 for {otherwise}--repeats in a stage and reductions",
    )
    flags.choice(
        "cell_rules",
        OWN_RULES,
        (OWN_RULES, *stacking_rules()),
        "whose rules cells are stacked by: preparation of their inputs, stem, and head; own for "
        f"{otherwise}those that the search space was published with",
    )


def define_whole(flags: parsing.FlagSet) -> None:
    """Adds the flags of layouts of whole networks, in a group of their own.

    Args:
        flags: that are added to.
    """
    flags.group("Whole networks (--layout=whole)", parsing.Owner("layout", (WHOLE,)))
    flags.choice(
        "network_rules",
        OWN_RULES,
        (OWN_RULES, *stacking_rules(whole=True)),
        "what papers leave open: where zeros go that bring maps to one size, or how skip "
        "connections are joined; own for those of the search space",
    )


def define_limits(flags: parsing.FlagSet) -> None:
    """Adds the flags of how large a child may be.

    Args:
        flags: to add to.
    """
    usual = Limits()
    flags.integer(
        "max_parameters", usual.max_parameters, "most trained numbers of a child; 0 for no limit"
    )
    flags.integer(
        "max_flops",
        usual.max_flops,
        "most FLOPs (2 x multiply-accumulate) of a child, one image, forward; 0 for no limit",
    )
    flags.integer(
        "max_activation_bytes",
        usual.max_activation_bytes,
        "most bytes of all layers' outputs for a training batch; 0 for no limit",
    )


def limits(values: dict[str, Any]) -> Limits:
    """How large a child may be.

    Args:
        values: of the flags, by name.

    Returns:
        The limits.
    """
    return Limits(
        max_parameters=values["max_parameters"],
        max_flops=values["max_flops"],
        max_activation_bytes=values["max_activation_bytes"],
    )


def define_match(flags: parsing.FlagSet) -> None:
    """Adds the flag of children of equal size.

    Args:
        flags: that are added to, in their present group.
    """
    flags.special(
        "match",
        None,
        "the size of every child, whose filters are scaled by one factor so that blocks compete "
        "and not sizes, as in parameters:75k or flops:10M; a block that cannot come within "
        f"{100 * TOLERANCE:.0f} % is infeasible. Empty for the filters of --filters",
        flag_text.parse_match,
        flag_text.MATCH_ALLOWED,
    )


def define_images(flags: parsing.FlagSet, default: Layout) -> None:
    """Adds the flags of the images, for verbs that read none.

    Args:
        flags: that are added to, in their present group.
        default: what the flags say unless they are given.
    """
    flags.integer("image_size", default.height, "height and width of the images in pixels", 1)
    flags.integer("channels", default.channels, "channels of the images", 1)
    flags.integer("classes", default.classes, "number of classes", 1)


def define_blocks(flags: parsing.FlagSet, title: str) -> None:
    """Adds the flags of a verb that takes any BLOCK, also one that no run gives a layout.

    Args:
        flags: that are added to.
        title: of the group of the layout.
    """
    default = Layout(repeats=2)
    flags.group(title)
    define_layout(flags, default)
    define_images(flags, default)
    define_cells(flags)
    define_whole(flags)
    define_model(flags)
    flags.group("Rules")
    flags.integer("max_layers", MAX_LAYERS, "most layers of a block, Terminal not counted", 1)


def chosen_layout(flags: parsing.FlagSet) -> Layout:
    """The layout that the flags of a command line describe; see `layout`.

    Args:
        flags: read.

    Returns:
        The layout, which knows whether any of its flags was given.
    """
    # A verb of images has no flags of language models.
    known = [flags.values[name] for name in _OF_A_LAYOUT if name in flags.values]
    named = any(flag.present for flag in known)
    return dataclasses.replace(layout(flags.chosen()), named=named)


def layout(
    values: dict[str, Any], shape: tuple[int, int, int] | None = None, classes: int | None = None
) -> Layout:
    """The layout that flags describe.

    Args:
        values: of the flags, by name.
        shape: height, width and channels of the images; None for those of the flags.
        classes: how many; None for those of the flags.

    Returns:
        The layout.

    Raises:
        LayoutError: if it cannot be built.
    """
    height, width, channels = shape or (
        *(values["image_size"], values["image_size"]),
        values["channels"],
    )
    of_words = values["layout"] == LANGUAGE
    if of_words:
        rules = "" if values["node_rules"] == OWN_NODES else values["node_rules"]
    else:
        whole = values["layout"] == WHOLE or values["cell_rules"] == OWN_RULES
        rules = values["network_rules" if whole else "cell_rules"]
    found = Layout(
        kind=values["layout"],
        filters=values["filters"],
        repeats=values["repeats"],
        height=height,
        width=width,
        channels=channels,
        classes=values["classes"] if classes is None else classes,
        cells=0 if of_words else values["cells"],
        rules="" if rules == OWN_RULES else rules,
        untied=of_words and values["untied"],
    )
    return found.of_kind(found.kind)
