"""Outcomes of children that several searches share, so that none is trained twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import sqlite3

from blockqnn.contests.passing_executor import KnowingExecutor
from blockqnn.errors import UserError
from blockqnn.settings import STEPS, UNCHANGED, DataSettings, SearchSettings
from blockqnn.supernet_settings import ADAM
from blockqnn.trial import Job, Outcome, Status
from blockqnn.workers.contract import Executor

FILE_NAME = "outcomes.sqlite"


def children_digest(settings: SearchSettings) -> str:
    """Names all that an outcome depends on besides the block and its seed.

    Args:
        settings: of a search.

    Returns:
        Sixteen hexadecimal digits.
    """
    data = dataclasses.asdict(settings.data)
    if not data["validation_examples"]:
        # Outcomes that are older than this setting are known by the digest of then.
        del data["validation_examples"]
    usual = DataSettings()
    for name in ("text_by", "vocabulary", "unknown_word"):
        if data[name] == getattr(usual, name):
            del data[name]
    recipe = dataclasses.asdict(settings.recipe)
    if recipe["language"] is None:
        del recipe["language"]
    if recipe["schedule"] == STEPS:
        del recipe["schedule"]
    if recipe["augmentation"] == UNCHANGED:
        del recipe["augmentation"]
    if recipe["optimiser"] == ADAM:
        for name in ("optimiser", "momentum", "weight_decay"):
            del recipe[name]
    table = dataclasses.asdict(settings.table)
    if not table["space"]:
        # Older than spaces that tables make.
        del table["space"]
    what: list[object] = [
        settings.evaluator,
        data,
        recipe,
        settings.layout.as_json(),
        table,
    ]
    if settings.match is not None:
        what.append(str(settings.match))
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


class SharingExecutor(KnowingExecutor):
    """An executor that looks outcomes up before it has a child evaluated.

    A child that trained in another search counts with the seconds that it took
    there. What failed is tried again.
    """

    def __init__(self, executor: Executor, path: pathlib.Path, digest: str):
        """Opens the outcomes that are shared.

        Args:
            executor: evaluates what is not known.
            path: of the file.
            digest: see `children_digest`.

        Raises:
            UserError: if the file is none of outcomes.
        """
        super().__init__(executor)
        self._digest, self._path = digest, path
        self._jobs: dict[int, Job] = {}
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS outcomes (children TEXT, hash TEXT, seed INTEGER, "
                "outcome TEXT NOT NULL, PRIMARY KEY (children, hash, seed)) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path} holds no outcomes ({error}).") from error

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        row = self._connection.execute(
            "SELECT outcome FROM outcomes WHERE children = ? AND hash = ? AND seed = ?",
            (self._digest, job.hash, job.seed),
        ).fetchone()
        if row is None:
            self._jobs[job.number] = job
            self._executor.submit(job)
        else:
            fields = json.loads(row[0])
            outcome = Outcome(**fields | {"accuracies": tuple(fields["accuracies"])})
            self._known.append((job.number, outcome))

    def close(self) -> None:
        """See `Executor.close`; a file without outcomes is removed."""
        try:
            empty = self._connection.execute("SELECT 1 FROM outcomes LIMIT 1").fetchone() is None
            self._connection.close()
            if empty:
                self._path.unlink(missing_ok=True)
        finally:
            super().close()

    def _kept(self, number: int, outcome: Outcome) -> tuple[int, Outcome]:
        """Keeps what a child became for the searches that come later."""
        job = self._jobs.pop(number)
        if outcome.status is Status.COMPLETED:
            self._connection.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)",
                (self._digest, job.hash, job.seed, json.dumps(dataclasses.asdict(outcome))),
            )
        return number, outcome
