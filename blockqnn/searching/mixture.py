"""A search by gradient: a mixture of all operations is trained, and a design follows from it."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.errors import UserError
from blockqnn.measure import measure_in
from blockqnn.mixture_settings import PERTURBATION
from blockqnn.networks.spaces.registry import space_named
from blockqnn.runs.mixtures import CHOSEN, DECISIONS, EPOCHS, SPLITS, part_of
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import EpochEnded
from blockqnn.searching import mixture_parts
from blockqnn.searching.mixture_ending import ending, epoch_words
from blockqnn.searching.mixture_stops import Stop, stop_of
from blockqnn.searching.mixture_trials import record_of, trial_of
from blockqnn.searching.pace import SECONDS, Pace
from blockqnn.searching.perturbation import Decision, chosen_of, decisions_of, fixed_by
from blockqnn.searching.supernet_paths import Part, all_epochs, cuts_from_fact, levels_of, parts_of
from blockqnn.settings import SearchSettings
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernets.places import remove_bank
from blockqnn.tensorboard.mixture_scalars import epoch_scalars
from blockqnn.trial import Job, Outcome, Trial
from blockqnn.workers.contract import Executor

_SECONDS = 5.0
"""Between two lines."""


class MixtureSearch:
    """Trains a mixture epoch by epoch, or goes on with it; each epoch's design is a trial.

    Where it is split, its parts are trained one after the other, each from its parent's last bank.
    What has ended is in the store, and the banks lie beside it. An epoch that was cut short is
    trained again from the bank before it, on the same data.
    """

    def __init__(
        self, settings: SearchSettings, agent: Agent, store: Store, directory: pathlib.Path
    ):
        """Looks at what there is.

        Args:
            settings: of the search, with a mixture.
            agent: of the search, which designs nothing.
            store: of the run.
            directory: of the banks.
        """
        assert settings.supernet is not None and settings.supernet.mixture is not None
        self._settings, self._store, self._directory = settings, store, directory
        self._supernet, self._own = settings.supernet, settings.supernet.mixture
        self._space = space_named(settings.space, settings.max_layers)
        self._rows = self._space.mixture_rows(self._own.partial_channels)
        facts = store.facts()
        self._records: list[dict[str, Any]] = list(facts.get(EPOCHS, []))
        self._decisions: list[dict[str, str]] = list(facts.get(DECISIONS, []))
        self._splits: dict[str, Any] = dict(facts.get(SPLITS, {}))
        self._chosen: dict[str, Any] | None = facts.get(CHOSEN)
        self._find_parts()
        self._said, self._measure = 0.0, measure_in(settings.layout)
        self.pace = Pace(settings, float(facts.get(SECONDS, 0.0)))

    @property
    def finished(self) -> bool:
        """Whether a design has been chosen in the end."""
        return self._chosen is not None

    @property
    def ended_iterations(self) -> int:
        """Epochs that have ended."""
        return len(self._records)

    def keep_seconds(self) -> None:
        """See `Search.keep_seconds`; a mixture has no budget of seconds."""

    def run(self, executor: Executor) -> Iterator[Trial]:
        """Trains what is missing, and decides.

        Args:
            executor: has a worker that knows the banks' directory.

        Yields:
            The trial of each epoch, when it is in the store.

        Raises:
            UserError: if an epoch cannot be trained.
        """
        whole, stop = self._parts[0], None
        while not self._decisions and len(self._of(whole)) < whole.epochs:
            stop = stop_of(self._own, self._records, self._rows)
            if stop is not None:
                break
            yield self._epoch(whole, executor)
        if stop is None and self._own.selection == PERTURBATION:
            yield from self._select(executor)
        for level in range(1, 1 + levels_of(self._supernet)):
            if self._supernet.finds_split:
                self._cut(level - 1, executor)
            for part in [part for part in self._parts if part.level == level]:
                while len(self._of(part)) < part.epochs:
                    yield self._epoch(part, executor)
        self._choose(stop)

    def words(self) -> str:
        """The last epoch in a line; empty where the last line was but a moment ago."""
        number, now = len(self._records), time.monotonic()
        part = next(part for part in self._parts if part.name == part_of(self._records[-1]))
        within = len(self._of(part))
        if 1 < within < part.epochs and now - self._said < _SECONDS:
            return ""
        self._said = now
        return epoch_words(self._records[number - 1], part, within, self._space, self._measure)

    def last_epoch(self) -> EpochEnded:
        """How far the training is, for the status file."""
        last, done = self._records[-1], len(self._records)
        part = next(part for part in self._parts if part.name == part_of(last))
        return EpochEnded(
            part.name,
            len(self._of(part)),
            max(part.epochs, len(self._of(part))),
            last["loss"],
            last["seconds"],
            int(last.get("images", 0)),
            done,
            max(done, all_epochs(self._supernet, self._space)),
            all_seconds=sum(own["seconds"] for own in self._records),
            all_images=sum(int(own.get("images", 0)) for own in self._records),
        )

    def scalars(self, number: int) -> dict[str, float]:
        """What TensorBoard is told of the epoch of a trial, by its number."""
        return epoch_scalars(self._records[number - 1])

    def ending(self) -> list[str]:
        """What is to be said at the end, in sentences."""
        if self._chosen is None:
            return []
        return ending(
            self._chosen, self._records, self._parts, self._splits, self._space, self._measure
        )

    def _find_parts(self) -> None:
        self._parts = parts_of(self._supernet, self._space, cuts_from_fact(self._splits))

    def _of(self, part: Part) -> list[int]:
        return mixture_parts.numbers_of(self._records, part.name)

    def _select(self, executor: Executor) -> Iterator[Trial]:
        """Selection by perturbation: what costs most to remove is kept, one choice at a time."""
        wanted = decisions_of(self._rows, self._space.kept_edges, self._settings.seed)
        while True:
            after = len(self._records) - self._supernet.epochs
            if after < self._own.perturbation_epochs * len(self._decisions):
                yield self._epoch(self._parts[0], executor, settled=True)
            elif len(self._decisions) < len(wanted):
                self._decide(wanted[len(self._decisions)], executor)
            else:
                return

    def _decide(self, decision: Decision, executor: Executor) -> None:
        """Looks what each choice is worth, and makes one."""
        work = dataclasses.replace(self._work(self._parts[0]), end="", probed=decision.name)
        found = self._found(self._outcome(work, executor), work.epoch)
        choice = chosen_of(decision, found["probed"])
        self._decisions.append({"name": decision.name, "choice": choice})
        self._store.set_facts({DECISIONS: self._decisions})

    def _cut(self, level: int, executor: Executor) -> None:
        """Finds how the parts of a level are split, by gradients, and keeps it."""
        for part in [each for each in self._parts if each.level == level]:
            if part.name in self._splits:
                continue
            compared = mixture_parts.compared_in(self._space, part)
            edges = self._space.mixture_edges()
            work = dataclasses.replace(
                self._work(part),
                end="",
                matched=f"{mixture_parts.mixture_bank(part, part.epochs)}.gradients.json",
                compared={edges[edge].name: own for edge, own in compared.items()},
                batches=self._supernet.split_batches,
            )
            distances = self._found(self._outcome(work, executor), work.epoch)["distances"]
            cut = mixture_parts.cut_by(compared, distances, self._space)
            self._splits[part.name] = {**dataclasses.asdict(cut), "distances": distances}
            self._store.set_facts({SPLITS: self._splits})
        self._find_parts()

    def _work(self, part: Part) -> MixtureEpoch:
        """The next epoch of a part."""
        epoch = len(self._of(part))
        start = mixture_parts.mixture_bank(part, epoch) if epoch else ""
        if not epoch and part.parent:
            start = mixture_parts.mixture_bank(part.parent, part.parent.epochs)
        return MixtureEpoch(
            start=start,
            end=mixture_parts.mixture_bank(part, epoch + 1),
            epoch=epoch,
            epochs=part.epochs,
            fixed=fixed_by(self._decisions),
            left=mixture_parts.left_to(self._space, part),
            renewed=epoch == 0 and part.parent is not None,
            before=mixture_parts.epochs_before(part),
        )

    def _epoch(self, part: Part, executor: Executor, settled: bool = False) -> Trial:
        """Trains for an epoch, and commits its design."""
        every, number, work = self._own.eigenvalue_every, 1 + len(self._records), self._work(part)
        measures = bool(every) and not settled and (work.epoch + 1) % every == 0
        work = dataclasses.replace(work, measures=measures, settled=settled)
        begun = time.time()
        outcome = self._outcome(work, executor)
        found = self._found(outcome, number)
        code, record = record_of(found, self._space, outcome.train_seconds)
        record["part"] = part.name
        accuracy = record["derived_accuracy"]
        trial = trial_of(number, code, outcome, accuracy, self._settings, self._space, begun)
        self._records.append(record)
        self._store.add_trial(trial, {EPOCHS: self._records, "iterations": number})
        if work.epoch > 1:
            # The one before is what an interrupted epoch begins with.
            remove_bank(self._directory / mixture_parts.mixture_bank(part, work.epoch - 1))
        return trial

    def _outcome(self, work: MixtureEpoch, executor: Executor) -> Outcome:
        seed = int.from_bytes(
            hashlib.sha256(f"{self._settings.seed} mixture".encode()).digest()[:4]
        )
        even = {row.name: [1.0] * len(row.choices) for row in self._rows}
        name = f"epoch {work.epoch + 1}"
        executor.submit(Job(1, self._space.derived(even), name, seed, mixture=work))
        return executor.next_outcome()[1]

    def _found(self, outcome: Outcome, epoch: int) -> dict[str, Any]:
        if outcome.reason or outcome.found is None:
            raise UserError(f"Epoch {epoch} of the mixture failed: {outcome.reason}")
        return outcome.found

    def _choose(self, stop: Stop | None) -> None:
        """Commits which epoch's design is the result."""
        self._chosen = {"trial": len(self._records), "reason": ""}
        if stop is not None:
            self._chosen = {"trial": stop.epoch, "reason": stop.reason}
        elif len(self._parts) > 1:
            results = mixture_parts.results_of(self._parts, self._records)
            self._chosen |= {"trial": results[0].trial, "results": [own.trial for own in results]}
        self._store.set_facts({CHOSEN: self._chosen})
