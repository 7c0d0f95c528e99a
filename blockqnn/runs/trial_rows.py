"""Trials as rows of a store, and back: the columns, and what may stand in each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.networks.spaces.registry import parse, write
from blockqnn.runs.suggestion import as_text, from_text
from blockqnn.trial import Status, Trial

COLUMNS = [field.name for field in dataclasses.fields(Trial)]
INSERT = f"INSERT INTO trials ({','.join(COLUMNS)}) VALUES ({','.join('?' * len(COLUMNS))})"
# Costs of blocks whose widths multiply exceed SQLite's 64 bits, so they are text.
_BIG = ("parameters", "flops", "block_flops")
_KINDS: Mapping[str, Any] = (
    dict.fromkeys(["code", "hash", "status", "accuracies", "filters", "sampled", *_BIG], str)
    | dict.fromkeys(["number", "iteration", "seed", "depth", "restarts"], int)
    | dict.fromkeys(["epsilon", "density"], float)
    | dict.fromkeys([name for name in COLUMNS if name.endswith("_seconds")], float)
    | dict.fromkeys(["reward", "finished"], float | None)
    | dict.fromkeys(["source", "worker"], int | None)
    | dict.fromkeys(["reason", "device"], str | None)
)
"""What SQLite must return for each column; it does not mind what is written there."""


_STORED = {Status.COMPLETED: "completed"}
"""What stands in stores for a status that people know by another word."""
_MEANT = {text: status for status, text in _STORED.items()}


def to_row(trial: Trial) -> list[Any]:
    """A trial as the values of its row.

    Args:
        trial: what is written.

    Returns:
        A value for each of `COLUMNS`.
    """
    values = {name: getattr(trial, name) for name in COLUMNS}
    values |= {name: str(values[name]) for name in _BIG}
    values["code"] = write(trial.code)
    values["status"] = _STORED.get(trial.status, trial.status.value)
    values["accuracies"] = json.dumps(trial.accuracies)
    values["filters"] = trial.filters_text or ""
    values["sampled"] = as_text(trial.sampled)
    return list(values.values())


def from_row(row: tuple[Any, ...]) -> Trial:
    """The trial that a row describes.

    Args:
        row: a value for each of `COLUMNS`.

    Returns:
        The trial.

    Raises:
        UserError: if a value is none that was ever written.
    """
    values = dict(zip(COLUMNS, row, strict=True))
    try:
        for name, kinds in _KINDS.items():
            if not isinstance(values[name], kinds):
                raise ValueError(f"{name} is {values[name]!r}")
        values |= {name: int(values[name]) for name in _BIG}
        values["code"] = parse(values["code"], max_layers=1_000_000)
        values["status"] = _MEANT.get(values["status"]) or Status(values["status"])
        values["accuracies"] = tuple(map(float, json.loads(values["accuracies"])))
        values["filters"] = tuple(int(part) for part in values["filters"].split(",") if part)
        values["sampled"] = from_text(values["sampled"])
        if min(values["filters"], default=1) < 1:
            raise ValueError(f"filters are {values['filters']}")
    except (CodeError, ValueError, TypeError, RecursionError) as error:
        raise unreadable(values["number"], error) from error
    return Trial(**values)


def unreadable(number: object, error: Exception) -> UserError:
    """What to say of a trial that was damaged.

    Args:
        number: of the trial, as far as it is known.
        error: what is wrong with it.

    Returns:
        The refusal.
    """
    return UserError(f"Trial {number} in the store cannot be read: {error}")
