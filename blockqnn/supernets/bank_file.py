"""A bank on disk: complete under its name or not there at all, each file with a checksum."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from blockqnn.children.chain import Held, held
from blockqnn.children.checkpoint import DamagedError, read_arrays, verify, write_directory
from blockqnn.supernets.bank import Bank

_WEIGHTS, _BESIDE, _FACTS = "arrays", "beside", "bank.json"
_FORMAT = 2
_FIRST_FORMAT = 1
"""Which had a directory of arrays for each entry; it is still read."""

Arrays = dict[str, Any]
"""Nested dicts of NumPy arrays."""


@dataclasses.dataclass(frozen=True)
class BankFacts:
    """What a bank on disk says of itself.

    Attributes:
        loss: mean training loss of the epoch at whose end it was written.
        seconds: that the epoch took.
        seed: of the bank's streams of random numbers.
        keys: of its entries, in the order of its arrays.
        shapes: for each entry, by name, the dtype and shape of its parameters, statistics, copies
            and moments; empty in a bank of the first format.
        found: of a mixture, what the epoch has found.
    """

    loss: float
    seconds: float
    seed: int
    keys: tuple[str, ...]
    shapes: list[Any] = dataclasses.field(default_factory=list)
    found: dict[str, Any] | None = None


def write_bank(
    path: pathlib.Path,
    bank: Bank,
    loss: float,
    seconds: float,
    found: dict[str, Any] | None = None,
    beside: Arrays | None = None,
) -> None:
    """Writes a bank; a process that dies meanwhile leaves none of that name.

    Args:
        path: of the directory, which must not exist.
        bank: what is written.
        loss: see `BankFacts`.
        seconds: likewise.
        found: likewise.
        beside: nested dicts of NumPy arrays that are kept with it; None for none.

    Raises:
        OSError: if it cannot be written.
    """
    shapes, arrays = _packed(bank)
    facts = BankFacts(loss, seconds, bank.seed, tuple(bank.entries), shapes, found)
    text = json.dumps({"format": _FORMAT, **dataclasses.asdict(facts)})
    more = {} if beside is None else {_BESIDE: beside}
    write_directory(path, {_FACTS: text + "\n"}, {_WEIGHTS: arrays, **more})


def read_beside(path: pathlib.Path) -> Arrays:
    """What was kept with a bank.

    Args:
        path: of its directory.

    Returns:
        As it was given to `write_bank`.

    Raises:
        DamagedError: if its files are not those that were written.
    """
    verify(path)
    return read_arrays(path / _BESIDE)


def read_facts(path: pathlib.Path) -> BankFacts:
    """What a bank on disk says of itself; its files are not looked at.

    Args:
        path: of its directory.

    Returns:
        The facts.

    Raises:
        DamagedError: if they cannot be read.
    """
    try:
        fields = json.loads((path / _FACTS).read_text(encoding="utf-8"))
        if fields.pop("format") not in (_FIRST_FORMAT, _FORMAT):
            raise ValueError("it is of another version of this program")
        return BankFacts(**fields | {"keys": tuple(fields["keys"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"The bank {path} cannot be read: {error}.") from error


def read_bank(path: pathlib.Path, like: Bank) -> Bank:
    """Reads a bank.

    Args:
        path: of its directory.
        like: one that is trained in the same way.

    Returns:
        The bank, with its moments.

    Raises:
        DamagedError: if its files are not those that were written.
    """
    verify(path)
    facts = read_facts(path)
    arrays = read_arrays(path / _WEIGHTS)
    try:
        if facts.shapes or not facts.keys:
            groups = _unpacked(facts.shapes, arrays)
        else:
            groups = [_of_first_format(arrays[f"{n:06d}"]) for n in range(len(facts.keys))]
        entries = _entries(facts.keys, groups, like)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"The bank {path} cannot be read: {error}.") from error
    return Bank(like.compiled, facts.seed, entries, like.first)


def _packed(bank: Bank) -> tuple[list[Any], dict[str, np.ndarray]]:
    """All arrays of a bank one behind the other, by dtype, and how each entry is made of them.

    A bank has thousands of small arrays, and a file for each takes longer than training an epoch.
    """
    host = jax.device_get(
        [
            (entry.parameters, entry.statistics, entry.copies, jax.tree.leaves(entry.moments))
            for entry in bank.entries.values()
        ]
    )
    shapes: list[Any] = []
    parts: dict[str, list[np.ndarray]] = {}
    for parameters, statistics, copies, moments in host:
        named = (parameters, statistics, copies, {str(n): leaf for n, leaf in enumerate(moments)})
        shapes.append([])
        for each in named:
            shapes[-1].append({})
            for name, value in each.items():
                array = np.asarray(value)
                shapes[-1][-1][name] = [array.dtype.name, list(array.shape)]
                parts.setdefault(array.dtype.name, []).append(array.ravel())
    return shapes, {dtype: np.concatenate(arrays) for dtype, arrays in parts.items()}


def _unpacked(shapes: list[Any], flat: dict[str, np.ndarray]) -> list[list[dict[str, Any]]]:
    """What `_packed` made one of: for each entry its four groups of arrays by name."""
    places = dict.fromkeys(flat, 0)
    found: list[list[dict[str, Any]]] = []
    for groups in shapes:
        found.append([{} for _ in groups])
        for group, named in zip(found[-1], groups, strict=True):
            for name, (dtype, shape) in named.items():
                begin = places[dtype]
                places[dtype] = end = begin + math.prod(shape)
                if end > flat[dtype].size:
                    raise ValueError("there are fewer numbers than its entries have")
                group[name] = flat[dtype][begin:end].reshape(shape)
    return found


def _entries(
    keys: Sequence[str], groups: Sequence[list[dict[str, Any]]], like: Bank
) -> dict[str, Held]:
    # One call for all arrays: each would take as long as a small array takes to be copied.
    placed = jax.device_put(groups)
    forms: dict[tuple[str, ...], Any] = {}
    found = {}
    for key, own, (parameters, statistics, _, moments) in zip(keys, groups, placed, strict=True):
        names = tuple(sorted(parameters))
        if names not in forms:
            forms[names] = jax.tree.structure(held(like.compiled, own[0], {}, {}).moments)
        leaves = [moments[str(number)] for number in range(len(moments))]
        stored = jax.tree.unflatten(forms[names], leaves)
        found[key] = Held(parameters, statistics, stored, own[2])
    return found


def _of_first_format(arrays: dict[str, Any]) -> list[dict[str, Any]]:
    """The groups of an entry that had a directory of its own."""
    moments = arrays.get("moments", {})
    return [
        *(arrays.get(name, {}) for name in ("parameters", "statistics", "copies")),
        {str(int(number)): leaf for number, leaf in moments.items()},
    ]
