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
from blockqnn.networks.shares import entropy, shares_of
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_named
from blockqnn.reward import guessing_reward
from blockqnn.runs.mixtures import CHOSEN, DECISIONS, EPOCHS
from blockqnn.runs.store import Store
from blockqnn.searching.mixture_stops import Stop, stop_of
from blockqnn.searching.pace import SECONDS, Pace
from blockqnn.searching.perturbation import Decision, chosen_of, decisions_of, fixed_by
from blockqnn.searching.rewards import reward_of
from blockqnn.searching.size import size_of
from blockqnn.settings import SearchSettings
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernets.places import bank_name, remove_bank
from blockqnn.tensorboard.mixture_scalars import epoch_scalars
from blockqnn.trial import Job, Outcome, Status, Trial, child_seed
from blockqnn.workers.contract import Executor

_BANK = "mixture"
_SECONDS = 5.0
"""Between two lines."""


class MixtureSearch:
    """Trains a mixture epoch by epoch, or goes on with it; each epoch's design is a trial.

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
        self._chosen: dict[str, Any] | None = facts.get(CHOSEN)
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
        stop = None
        while not self._decisions and len(self._records) < self._supernet.epochs:
            stop = stop_of(self._own, self._records, self._rows)
            if stop is not None:
                break
            yield self._epoch(executor, settled=False)
        if stop is None and self._own.selection == PERTURBATION:
            yield from self._select(executor)
        self._choose(stop)

    def words(self) -> str:
        """The last epoch in a line; empty where the last line was but a moment ago."""
        last, epochs = self._records[-1], self._supernet.epochs
        number, now = len(self._records), time.monotonic()
        if 1 < number < epochs and now - self._said < _SECONDS:
            return ""
        self._said = now
        of = f"epoch {number} of {epochs}" if number <= epochs else f"epoch {number}, selecting"
        counts = "; ".join(
            f"{cell} {', '.join(f'{n} {what}' for what, n in own.items())}"
            for cell, own in last["tally"].items()
        )
        whole, derived = (
            f"{self._measure.figure(last[name], 1)}{self._measure.unit}"
            for name in ("accuracy", "derived_accuracy")
        )
        named = "" if self._measure.unit else f"{self._measure.name} of the "
        line = (
            f"  {of}: loss {last['loss']:.3f}, {named}mixture {whole}, derived cell with "
            f"its weights {derived}; {counts}, none first on "
            f"{last['none']} of {self._edges} edges"
        )
        if last.get("eigenvalue") is not None:
            line += f"; eigenvalue {last['eigenvalue']:.3g}"
        lacking = self._space.essential_words.upper()
        return line + ("" if last["convolutions"] else f". It has NO {lacking}.")

    def scalars(self, number: int) -> dict[str, float]:
        """What TensorBoard is told of the epoch of a trial, by its number."""
        return epoch_scalars(self._records[number - 1])

    @property
    def _edges(self) -> int:
        return sum(not row.weighs_edges for row in self._rows)

    def _select(self, executor: Executor) -> Iterator[Trial]:
        """Selection by perturbation: what costs most to remove is kept, one choice at a time."""
        wanted = decisions_of(self._rows, self._space.kept_edges, self._settings.seed)
        while True:
            after = len(self._records) - self._supernet.epochs
            if after < self._own.perturbation_epochs * len(self._decisions):
                yield self._epoch(executor, settled=True)
            elif len(self._decisions) < len(wanted):
                self._decide(wanted[len(self._decisions)], executor)
            else:
                return

    def _decide(self, decision: Decision, executor: Executor) -> None:
        """Looks what each choice is worth, and makes one."""
        work = MixtureEpoch(
            start=bank_name(_BANK, len(self._records)),
            end="",
            epoch=len(self._records),
            epochs=self._supernet.epochs,
            fixed=fixed_by(self._decisions),
            probed=decision.name,
        )
        found = self._answered(self._job(work), executor)
        choice = chosen_of(decision, found["probed"])
        self._decisions.append({"name": decision.name, "choice": choice})
        self._store.set_facts({DECISIONS: self._decisions})

    def _epoch(self, executor: Executor, settled: bool) -> Trial:
        """Trains for an epoch, and commits its design."""
        epoch, every = len(self._records), self._own.eigenvalue_every
        work = MixtureEpoch(
            start=bank_name(_BANK, epoch) if epoch else "",
            end=bank_name(_BANK, epoch + 1),
            epoch=epoch,
            epochs=self._supernet.epochs,
            fixed=fixed_by(self._decisions),
            measures=bool(every) and not settled and (epoch + 1) % every == 0,
            settled=settled,
        )
        job = self._job(work)
        begun = time.time()
        executor.submit(job)
        _, outcome = executor.next_outcome()
        found = self._found(outcome, epoch + 1)
        shares = shares_of(found["alpha"])
        code = self._space.check(self._space.derived(shares))
        record = {
            **found,
            "seconds": outcome.train_seconds,
            "tally": self._space.tally(code),
            "none": sum(
                own[0] == max(own)
                for row in self._rows
                if not row.weighs_edges and (own := shares[row.name])
            ),
            "entropy": {name: entropy(own) for name, own in shares.items()},
        }
        record["convolutions"] = sum(
            own[what] for own in record["tally"].values() for what in self._space.essential
        )
        trial = self._trial(epoch + 1, code, outcome, record, begun)
        self._records.append(record)
        self._store.add_trial(trial, {EPOCHS: self._records, "iterations": epoch + 1})
        if epoch > 1:
            # The one before is what an interrupted epoch begins with.
            remove_bank(self._directory / bank_name(_BANK, epoch - 1))
        return trial

    def _trial(
        self, number: int, code: Code, outcome: Outcome, record: dict[str, Any], begun: float
    ) -> Trial:
        """The design of an epoch, with the accuracy that it has with the mixture's weights."""
        design = self._space.design(code)
        size = size_of(design, self._settings)
        empty = design.emptiness
        trial = Trial(
            number,
            number,
            0.0,
            code,
            hash=design.hash,
            seed=child_seed(self._settings.seed, design.hash),
            status=Status.INFEASIBLE if empty else Status.COMPLETED,
            reason=empty or None,
            density=design.density,
            parameters=size.cost.parameters,
            flops=size.cost.flops,
            block_flops=size.cost.block_flops,
            depth=size.cost.depth,
            train_seconds=outcome.train_seconds,
            device=outcome.device,
            worker=outcome.worker,
            finished=max(time.time(), begun),
        )
        guessing = guessing_reward(self._settings.layout.classes, self._settings.reward)
        if empty:
            return dataclasses.replace(trial, reward=guessing)
        accuracies = (record["derived_accuracy"],)
        judged = dataclasses.replace(outcome, accuracies=accuracies, score=None)
        reward = reward_of(trial, judged, self._settings.reward, guessing)
        return dataclasses.replace(trial, accuracies=accuracies, reward=reward)

    def _job(self, work: MixtureEpoch) -> Job:
        seed = int.from_bytes(
            hashlib.sha256(f"{self._settings.seed} mixture".encode()).digest()[:4]
        )
        even = {row.name: [1.0] * len(row.choices) for row in self._rows}
        return Job(1, self._space.derived(even), f"epoch {work.epoch + 1}", seed, mixture=work)

    def _answered(self, job: Job, executor: Executor) -> dict[str, Any]:
        executor.submit(job)
        _, outcome = executor.next_outcome()
        assert job.mixture is not None
        return self._found(outcome, job.mixture.epoch)

    def _found(self, outcome: Outcome, epoch: int) -> dict[str, Any]:
        if outcome.reason or outcome.found is None:
            raise UserError(f"Epoch {epoch} of the mixture failed: {outcome.reason}")
        return outcome.found

    def _choose(self, stop: Stop | None) -> None:
        """Commits which epoch's design is the result."""
        epoch = stop.epoch if stop else len(self._records)
        self._chosen = {"trial": epoch, "reason": stop.reason if stop else ""}
        self._store.set_facts({CHOSEN: self._chosen})

    def ending(self) -> list[str]:
        """What is to be said at the end, in sentences."""
        if self._chosen is None:
            return []
        epoch, reason = self._chosen["trial"], self._chosen["reason"]
        record = self._records[epoch - 1]
        lines = [f"The derived cell is that of epoch {epoch}, trial {epoch}."]
        if reason:
            lines.insert(0, f"Stopped after epoch {len(self._records)}: {reason}.")
        if not record["convolutions"]:
            lines.append(
                f"WARNING: it has no {self._space.essential_words}, as happens where a mixture "
                "collapses; --stop_eigenvalue=1.3, "
                f"{'' if self._settings.layout.of_words else '--stop_skips=2 '}"
                "or --selection=perturbation may help."
            )
        return lines
