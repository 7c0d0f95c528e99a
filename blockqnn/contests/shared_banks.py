"""Whole supernets that several searches of a contest share, so that none is trained twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil

from blockqnn.contests.passing_executor import KnowingExecutor
from blockqnn.searching.supernet_paths import WHOLE
from blockqnn.settings import SearchSettings
from blockqnn.supernet_settings import BY_AGENT
from blockqnn.supernets.places import bank_name
from blockqnn.trial import Job, Outcome
from blockqnn.workers.contract import Executor

POOL = "supernets"
_OUTCOMES = "supernet.jsonl"
_OF_PARTS = ("split", "split_epochs", "split_levels", "split_batches", "control")
_OF_SCORES = ("statistics", "recalibration_batches", "agent_updates", "agent_batch")


def bank_digest(settings: SearchSettings) -> str:
    """Names all that the whole supernet of a search depends on.

    Args:
        settings: of the search.

    Returns:
        Sixteen hexadecimal digits; nothing where an agent draws its paths, or there is none.
    """
    own = settings.supernet
    if own is None or own.mixture is not None or own.paths == BY_AGENT:
        return ""
    supernet = dataclasses.asdict(own)
    for name in (*_OF_PARTS, *_OF_SCORES):
        del supernet[name]
    what = [
        settings.space,
        settings.max_layers,
        settings.seed,
        dataclasses.asdict(settings.data),
        settings.recipe.execution,
        settings.recipe.bfloat16,
        settings.layout.as_json(),
        supernet,
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


class BankSharingExecutor(KnowingExecutor):
    """An executor that takes a whole supernet from a pool where another search has trained it.

    It counts with the seconds that it took there. A supernet comes to the pool when its last
    epoch has ended, all at once.
    """

    def __init__(self, executor: Executor, pool: pathlib.Path, digest: str, banks: pathlib.Path):
        """Looks at the pool.

        Args:
            executor: that trains and scores.
            pool: directory of supernets.
            digest: see `bank_digest`; empty for a search that shares nothing.
            banks: directory of the search's own banks.
        """
        super().__init__(executor)
        self._digest, self._banks = digest, banks
        self._place = pool / (digest or "none")
        self._training: dict[int, Job] = {}

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        work = job.training
        if not self._digest or work is None or not work.end.startswith(bank_name(WHOLE, 0)[:-4]):
            self._executor.submit(job)
            return
        if (outcomes := self._pooled()) is None:
            self._training[job.number] = job
            self._executor.submit(job)
            return
        if work.epoch + 1 == work.epochs:
            _copy(self._place / work.end, self._banks / work.end)
        self._known.append((job.number, outcomes[work.epoch]))

    def _kept(self, number: int, outcome: Outcome) -> tuple[int, Outcome]:
        job = self._training.pop(number, None)
        if job is None or job.training is None or outcome.reason:
            return number, outcome
        own, work = self._banks.with_name(_OUTCOMES), job.training
        found = _read(own)
        found[work.epoch] = outcome
        lines = (json.dumps([n, dataclasses.asdict(o)]) for n, o in sorted(found.items()))
        own.write_text("\n".join(lines), encoding="utf-8")
        # Epochs of which an earlier process did not say how they ended cannot be told on.
        if work.epoch + 1 == work.epochs and len(found) == work.epochs:
            self._pool(work.end)
        return number, outcome

    def _pooled(self) -> dict[int, Outcome] | None:
        path = self._place / _OUTCOMES
        return _read(path) if path.exists() else None

    def _pool(self, bank: str) -> None:
        unfinished = self._place.with_name(f"{self._place.name}.{os.getpid()}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(self._banks / bank, unfinished / bank)
        shutil.copy(self._banks.with_name(_OUTCOMES), unfinished / _OUTCOMES)
        try:
            unfinished.rename(self._place)
        except OSError:
            # Another process has come first with the same one.
            shutil.rmtree(unfinished, ignore_errors=True)


def _read(path: pathlib.Path) -> dict[int, Outcome]:
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            number, fields = json.loads(line)
        except ValueError:
            return {}
        found[int(number)] = Outcome(**fields | {"accuracies": tuple(fields["accuracies"])})
    return found


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a bank, which is there as a whole or not at all."""
    if target.exists():
        return
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished)
    unfinished.rename(target)
