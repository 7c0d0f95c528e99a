"""By which lowerings a search computes convolutions: what it writes down and says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks import lowerings

LOWERINGS = "lowerings"
"""Name of the fact in a run's store."""


def lowerings_record() -> dict[str, Any]:
    """By which lowerings convolutions are computed on a processor here.

    Returns:
        Facts that JSON can hold: `name` and `digest` of the table.

    Raises:
        UserError: if the table is damaged.
    """
    try:
        table = lowerings.in_use()
    except lowerings.LoweringError as error:
        raise UserError(str(error)) from error
    return {"name": table.name, "digest": table.digest}


def lowerings_notice(facts: Mapping[str, Any]) -> str | None:
    """What to say where a run goes on by other lowerings than it was begun with.

    Args:
        facts: of the run's store.

    Returns:
        A sentence; None where they are the same, or nobody has written them down.
    """
    before = facts.get(LOWERINGS)
    if not before or before["digest"] == lowerings_record()["digest"]:
        return None
    return (
        "Convolutions are lowered by another table here than when this run was begun "
        f"({before['name']} then, {lowerings_record()['name']} now), so what is trained from now "
        "on may differ in its last digits from what would have been trained there."
    )
