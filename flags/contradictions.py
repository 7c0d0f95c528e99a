"""Flags of `search` that contradict one another, refused before anything begins."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TABLE
from blockqnn.networks.layout import Layout
from blockqnn.networks.sizing import Match, can_scale
from blockqnn.networks.spaces.registry import design_of, parse, space_named
from blockqnn.runs.rounds import check_rounds, parse_rounds


def refuse_contradictions(values: dict[str, Any], layout: Layout) -> None:
    """Refuses flags that cannot be meant together.

    Args:
        values: of the flags, by name.
        layout: of the children.

    Raises:
        UserError: if there are such.
    """
    space = space_named(values["space"])
    if layout.kind not in space.layouts:
        raise UserError(
            f"--space={space.name} does not go with --layout={layout.kind}; allowed: "
            f"{' or '.join(space.layouts)}."
        )
    if values["evaluator"] == TABLE and not (values["table"] and values["search_column"]):
        raise UserError("--evaluator=table needs --table and --search_column.")
    rounds = parse_rounds(values["finals"])
    check_rounds(rounds, "--finals")
    if rounds and values["evaluator"] == TABLE:
        raise UserError(
            "--finals trains blocks for longer, and with --evaluator=table nothing is trained."
        )
    if values["match"] is not None:
        _refuse_no_match(values, layout)


def _refuse_no_match(values: dict[str, Any], layout: Layout) -> None:
    """Refuses a size that no child can have."""
    wanted: Match = values["match"]
    if values["evaluator"] == TABLE:
        raise UserError(
            "--match scales children that are trained, and the accuracies of --evaluator=table "
            "were measured with filters of their own."
        )
    limit = f"max_{wanted.figure}"
    if 0 < values[limit] < wanted.target:
        raise UserError(
            f"--{limit}={values[limit]:_} allows no more, so no child can have the {wanted.words} "
            f"of --match; raise it to --{limit}={wanted.most:_}, or to 0 for no limit."
        )
    space = space_named(values["space"])
    if not can_scale(design_of(parse(space.example)), layout, wanted):
        raise UserError(
            f"--match={wanted} needs filters to scale, and those of --space={space.name} do not "
            f"change how many {wanted.noun} a network has."
        )
