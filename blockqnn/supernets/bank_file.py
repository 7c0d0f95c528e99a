"""A bank on disk: complete under its name or not there at all, each file with a checksum."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import jax
import numpy as np

from blockqnn.children.chain import Held, held
from blockqnn.children.checkpoint import DamagedError, read_arrays, verify, write_directory
from blockqnn.supernets.bank import Bank
from blockqnn.supernets.packing import Arrays, packed, unpacked

_WEIGHTS, _BESIDE, _FACTS, _INDEX = "arrays", "beside", "bank.json", "index.json"
_FORMAT = 2
_READ = (1, _FORMAT)
"""In the first every array was written by itself, without an index."""


@dataclasses.dataclass(frozen=True)
class BankFacts:
    """What a bank on disk says of itself.

    Attributes:
        loss: mean training loss of the epoch at whose end it was written.
        seconds: that the epoch took.
        seed: of the bank's streams of random numbers.
        keys: of its entries, in the order of its arrays.
        found: of a mixture, what the epoch has found.
    """

    loss: float
    seconds: float
    seed: int
    keys: tuple[str, ...]
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
    facts = BankFacts(loss, seconds, bank.seed, tuple(bank.entries), found)
    arrays = {f"{number:06d}": _arrays(bank.entries[key]) for number, key in enumerate(facts.keys)}
    text = json.dumps({"format": _FORMAT, **dataclasses.asdict(facts)}, indent=1)
    flat, index = packed(arrays)
    texts = {_FACTS: text + "\n", _INDEX: json.dumps(index) + "\n"}
    more = {} if beside is None else {_BESIDE: beside}
    write_directory(path, texts, {_WEIGHTS: flat, **more})


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
        if fields.pop("format") not in _READ:
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
    if (path / _INDEX).exists():
        arrays = unpacked(arrays, json.loads((path / _INDEX).read_text(encoding="utf-8")))
    entries = {key: _entry(arrays[f"{number:06d}"], like) for number, key in enumerate(facts.keys)}
    return Bank(like.compiled, facts.seed, entries)


def _arrays(entry: Held) -> dict[str, Any]:
    leaves = jax.device_get(jax.tree.leaves(entry.moments))
    kept = {
        "parameters": jax.device_get(entry.parameters),
        "statistics": jax.device_get(entry.statistics),
        "copies": entry.copies,
        "moments": {f"{number:02d}": np.asarray(leaf) for number, leaf in enumerate(leaves)},
    }
    # What is empty has no files.
    return {name: arrays for name, arrays in kept.items() if arrays}


def _entry(arrays: dict[str, Any], like: Bank) -> Held:
    parameters, statistics = arrays.get("parameters", {}), arrays.get("statistics", {})
    entry = held(like.compiled, parameters, statistics, arrays.get("copies", {}))
    leaves, form = jax.tree.flatten(entry.moments)
    stored = [arrays["moments"][f"{number:02d}"] for number in range(len(leaves))]
    entry.moments = jax.tree.unflatten(form, jax.device_put(stored))
    return entry
