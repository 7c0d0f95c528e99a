"""Trials with chosen figures, and runs of them in stores."""

import contextlib
import dataclasses
import sqlite3

from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.runs.run_record import RunRecord
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.trial import Status, Trial
from tests.blockqnn.small_searches import CONV3, LAYOUT

EPOCH = 1_700_000_000.0
"""When runs by hand begin, in seconds since 1970."""


def trial(number, iteration=1, status=Status.COMPLETED, accuracy=None, **fields):
    """A trial; an accuracy makes its reward too, unless that is given."""
    code = fields.pop("code", CONV3)
    block = canonical_form(code)
    if accuracy is not None:
        fields = {"accuracies": (accuracy / 2, accuracy), "reward": accuracy} | fields
    chosen = {
        "epsilon": 1.0,
        "seed": 0,
        "density": block.density,
        "parameters": 1000,
        "flops": 2000,
        "block_flops": 500,
        "depth": 2,
        "finished": EPOCH + number,
    } | fields
    return Trial(number, iteration, code=code, hash=block.hash, status=status, **chosen)


def chain(*kernels):
    """A block of convolutions one after another."""
    return check([(i, 1, kernel, i - 1, 0) for i, kernel in enumerate(kernels, start=1)])


def run_record(path, trials, **fields):
    """A run that is in no store."""
    chosen = {"layout": LAYOUT, "dry": False, "flags": {}, "iterations": 1} | fields
    return RunRecord(path, list(trials), **chosen)


def altered(directory, statement, values=()):
    """Carries out a statement in a run's store, which readers then add no files to."""
    with contextlib.closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        connection.execute(statement, values)
        connection.commit()
        # In WAL mode SQLite leaves files of its own beside a store that is read.
        connection.execute("PRAGMA journal_mode=DELETE")


def write_store(directory, trials, flags=None, iterations=1, dry=False, begun=True):
    """Writes a run's store; its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Store.create_or_open(directory / FILE_NAME)) as store:
        if begun:
            facts = {"layout": dataclasses.asdict(LAYOUT), "dry": dry, "flags": flags or {}}
            store.set_facts(facts)
        for each in trials:
            store.add_trial(each)
        if iterations:
            store.end_iteration(iterations, {})
    return directory
