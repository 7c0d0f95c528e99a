"""The table of the verbs: a new one is a module of flags and a line here."""

from __future__ import annotations

import importlib

from blockqnn.flags.verb import Verb

_WHERE = {
    "prepare": ("prepare", "PREPARE"),
    "search": ("search", "SEARCH"),
    "show": ("inspection", "SHOW"),
    "draw": ("drawing", "DRAW"),
    "explain": ("explain", "EXPLAIN"),
    "report": ("report", "REPORT"),
    "serve": ("report", "SERVE"),
    "trials": ("inspection", "TRIALS"),
    "status": ("status", "STATUS"),
    "tensorboard": ("tensorboard", "TENSORBOARD"),
    "finals": ("finals", "FINALS"),
    "calibrate": ("calibration", "CALIBRATE"),
    "rescore": ("calibration", "RESCORE"),
    "train": ("training", "TRAIN"),
    "evaluate": ("evaluation", "EVALUATE"),
    "export": ("export", "EXPORT"),
    "compare": ("compare", "COMPARE"),
    "bench": ("bench", "BENCH"),
}
"""For each verb, in the order of the help, its module of `flags` and its name there."""

NAMES = tuple(_WHERE)


def find(name: str) -> Verb:
    """A verb by its name; the modules of the others are not imported.

    Args:
        name: one of `NAMES`.

    Returns:
        The verb.
    """
    module, attribute = _WHERE[name]
    verb: Verb = getattr(importlib.import_module(f"blockqnn.flags.{module}"), attribute)
    return verb
