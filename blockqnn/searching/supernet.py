"""How the banks of a search are trained before its designs are scored."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from blockqnn.agents.contract import Agent, Episode
from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_named
from blockqnn.reward import uncorrected_reward
from blockqnn.runs.learning import sampled_by
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import EPOCHS, PLAN, SPLITS, EpochEnded, split_words
from blockqnn.searching.supernet_paths import (
    CONTROL,
    Part,
    all_epochs,
    cuts_from_fact,
    levels_of,
    owner,
    part_count,
    parts_of,
)
from blockqnn.searching.supernet_steps import EpochSize
from blockqnn.settings import SearchSettings
from blockqnn.shared_work import BankEpoch, GradientMatch
from blockqnn.supernet_settings import BY_AGENT, FAIR
from blockqnn.supernets.cuts import largest_cut, read_distances
from blockqnn.supernets.places import bank_name, remove_bank
from blockqnn.supernets.sampling import fair_paths, uniform_path
from blockqnn.trial import Job, Outcome
from blockqnn.workers.contract import Executor


class SupernetPhase:
    """Trains the banks of a run, or goes on with them.

    What has ended is in the store, and the banks lie beside it. An epoch that was cut short is
    trained again from the bank before it, by the same paths on the same data.
    """

    def __init__(
        self, settings: SearchSettings, agent: Agent, store: Store, directory: pathlib.Path
    ):
        """Looks at what there is.

        Args:
            settings: of the search, with a supernet.
            agent: that learns from scores, where it does.
            store: of the run.
            directory: of the banks.
        """
        assert settings.supernet is not None
        self._settings, self._agent, self._store = settings, agent, store
        self._own, self._directory = settings.supernet, directory
        self._space = space_named(settings.space, settings.max_layers)
        facts = store.facts()
        self._ended: list[dict[str, Any]] = list(facts.get(EPOCHS, []))
        self._splits: dict[str, Any] = dict(facts.get(SPLITS, {}))
        self._find_parts()
        self._size = EpochSize.of(settings)

    @property
    def epochs(self) -> int:
        """Of all banks together, those whose split is not found yet included."""
        return all_epochs(self._own, self._space)

    @property
    def banks(self) -> int:
        """How many there will be."""
        own = self._own
        return 1 + part_count(own, self._space) + bool(own.split and own.control)

    @property
    def finished(self) -> bool:
        """Whether all banks are trained."""
        return len(self._ended) >= self.epochs

    @property
    def examples(self) -> str:
        """What is trained on, in a word."""
        return self._settings.layout.examples

    def spent(self) -> tuple[int, float]:
        """Images, or words, and seconds of all epochs that have ended."""
        return sum(e["images"] for e in self._ended), sum(e["seconds"] for e in self._ended)

    def bank_of(self, code: Code) -> str:
        """The bank that scores a design: that of the part which has its operations."""
        return owner(self.parts, self._space, code).last_bank

    @property
    def splits(self) -> list[str]:
        """How banks were split by gradients so far, a sentence each."""
        return [split_words(name, e["edge"], e["groups"]) for name, e in self._splits.items()]

    def _find_parts(self) -> None:
        self.parts = parts_of(self._own, self._space, cuts_from_fact(self._splits))

    def run(self, executor: Executor) -> Iterator[EpochEnded]:
        """Trains what is missing.

        Args:
            executor: has workers that know the banks' directory.

        Yields:
            Each epoch that has ended and is in the store.

        Raises:
            UserError: if an epoch cannot be trained.
        """
        for level in range(levels_of(self._own) + 1):
            if level and self._own.finds_split:
                above = [part for part in self.parts if part.level == level - 1]
                self._cut([part for part in above if part.name != CONTROL], level, executor)
            self._store.set_facts({PLAN: {part.name: part.epochs for part in self.parts}})
            # The control waits for the last level, whose parts it is trained beside.
            yield from self._train([p for p in self.parts if p.level == level], executor)

    def _cut(self, parts: Sequence[Part], level: int, executor: Executor) -> None:
        """Finds how parts are split, by gradients, and keeps it."""
        waiting = [part for part in parts if part.name not in self._splits]
        matches = {number: self._match(part) for number, part in enumerate(waiting, start=1)}
        for number, part in enumerate(waiting, start=1):
            work, seed = matches[number], _number(self._settings.seed, f"{part.name} match")
            name = f"{part.name} split {level}"
            bank = part.last_bank
            executor.submit(Job(number, work.designs[0], name, seed, bank=bank, matching=work))
        for _ in waiting:
            number, outcome = executor.next_outcome()
            if outcome.reason:
                raise UserError(f"Gradients could not be compared: {outcome.reason}")
            work = matches[number]
            distances = read_distances(self._directory / work.end)
            cut = largest_cut(work.edges, distances)
            record = {
                **dataclasses.asdict(cut),
                "distances": {edge: matrix.tolist() for edge, matrix in distances.items()},
            }
            self._splits[waiting[number - 1].name] = record
            self._store.set_facts({SPLITS: self._splits})
        self._find_parts()

    def _match(self, part: Part) -> GradientMatch:
        edges = {
            edge: tuple(operations)
            for edge, operations in self._space.edges.items()
            if edge not in part.allowed and len(operations) > 1
        }
        random = np.random.default_rng([_number(self._settings.seed, part.name), 0x5B117])
        designs = [
            uniform_path(self._space, part.allowed, random) for _ in range(self._own.split_batches)
        ]
        return GradientMatch(f"{part.last_bank}.gradients.json", edges, tuple(designs))

    def _train(self, parts: Sequence[Part], executor: Executor) -> Iterator[EpochEnded]:
        """Trains some banks side by side, each its epochs one after another."""
        done = collections.Counter(each["part"] for each in self._ended)
        waiting = [part for part in parts if done[part.name] < part.epochs]
        running: dict[int, Part] = {}
        while waiting or running:
            while waiting and len(running) < max(1, executor.slots):
                part = waiting.pop(0)
                number = 1 + self.parts.index(part)
                executor.submit(self._job(number, part, done[part.name]))
                running[number] = part
            number, outcome = executor.next_outcome()
            part = running.pop(number)
            done[part.name] += 1
            yield self._keep(part, done[part.name], outcome, executor)
            if done[part.name] < part.epochs:
                waiting.insert(0, part)

    def _job(self, number: int, part: Part, epoch: int) -> Job:
        start = bank_name(part.name, epoch) if epoch else ""
        if not epoch and part.parent:
            start = part.parent.last_bank
        training = BankEpoch(
            start=start,
            renewed=epoch == 0 and part.parent is not None,
            end=bank_name(part.name, epoch + 1),
            epoch=epoch,
            epochs=part.epochs,
            paths=self._paths(part, epoch),
        )
        seed = _number(self._settings.seed, part.name)
        if part.parent:
            # Whatever is new in it begins as it would have in its parent.
            seed = _number(self._settings.seed, part.parent.name)
        return Job(number, training.paths[0], f"{part.name} {epoch + 1}", seed, training=training)

    def _paths(self, part: Part, epoch: int) -> tuple[Code, ...]:
        """The design of each step of an epoch."""
        if self._own.paths == BY_AGENT:
            return tuple(self._space.check(each) for each in self._agent.suggest(self._size.steps))
        random = np.random.default_rng([_number(self._settings.seed, part.name), epoch])
        if self._own.paths == FAIR:
            return fair_paths(self._space, part.allowed, self._size.steps, random)
        return tuple(
            uniform_path(self._space, part.allowed, random) for _ in range(self._size.steps)
        )

    def _keep(self, part: Part, epoch: int, outcome: Outcome, executor: Executor) -> EpochEnded:
        if outcome.reason or outcome.score is None:
            raise UserError(f"Epoch {epoch} of the supernet failed: {outcome.reason}")
        images = self._size.steps * self._size.examples
        record: dict[str, Any] = {
            "part": part.name,
            "loss": outcome.score,
            "seconds": outcome.train_seconds,
            "images": images,
        }
        if self._own.paths == BY_AGENT:
            record |= self._teach(bank_name(part.name, epoch), epoch, executor)
            self._store.end_phase({EPOCHS: [*self._ended, record]}, self._agent.get_state(True))
        else:
            self._store.set_facts({EPOCHS: [*self._ended, record]})
        self._ended.append(record)
        if epoch > 2:
            # The one before is what an interrupted epoch begins with.
            remove_bank(self._directory / bank_name(part.name, epoch - 2))
        return EpochEnded(
            part.name,
            epoch,
            part.epochs,
            outcome.score,
            outcome.train_seconds,
            images,
            len(self._ended),
            self.epochs,
            all_seconds=self.spent()[1],
            all_images=self.spent()[0],
            reward=record.get("reward"),
            agent=record.get("agent", {}),
            examples=self._settings.layout.examples,
        )

    def _teach(self, bank: str, epoch: int, executor: Executor) -> dict[str, Any]:
        """Lets the agent learn from scores, each on one batch of the validation part."""
        random = np.random.default_rng([_number(self._settings.seed, bank), epoch])
        rewards = []
        for _ in range(self._own.agent_updates):
            codes = [self._space.check(each) for each in self._agent.suggest(self._own.agent_batch)]
            known = [sampled_by(self._agent, code) for code in codes]
            for number, code in enumerate(codes):
                batch = int(random.integers(self._size.scored_batches))
                executor.submit(Job(number, code, "", 0, bank=bank, scored_batch=batch))
            found = dict(executor.next_outcome() for _ in codes)
            for outcome in found.values():
                if outcome.reason:
                    raise UserError(f"A score of shared weights failed: {outcome.reason}")
            episodes = [
                Episode(code, self._earned(found[number]) / 100, known[number])
                for number, code in enumerate(codes)
            ]
            self._agent.update(episodes)
            rewards += [episode.reward for episode in episodes]
        if not rewards:
            return {}
        return {"reward": float(np.mean(rewards)), "agent": dict(self._agent.statistics())}

    def _earned(self, outcome: Outcome) -> float:
        """What a score is worth to the agent, in percent, without any correction."""
        return uncorrected_reward(outcome.accuracies[-1], self._settings.reward)


def _number(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
