"""A trial: one suggested block and all that became of it."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import statistics
from collections.abc import Iterable
from typing import Any

from blockqnn.agents.contract import Sampled
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.shared_work import BankEpoch, GradientMatch, MixtureEpoch


class Status(enum.StrEnum):
    """Where a trial stands, by the word that people read."""

    RUNNING = "running"
    COMPLETED = "trained"
    KNOWN = "known"
    INFEASIBLE = "infeasible"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One suggestion of the agent.

    Attributes:
        number: position among all suggestions of the run, from 1.
        iteration: in which it was suggested, from 1; in an asynchronous search,
            in which it ended.
        epsilon: share of random actions of the agent then.
        code: the block, or the cell, as the agent wrote it.
        hash: names its canonical form.
        seed: of the child's training.
        status: where it stands.
        density: edges over nodes of the canonical form.
        parameters: trained numbers of the child network.
        flops: of the child for one image, forward.
        block_flops: of the block alone, as the reward takes it.
        depth: convolutions on the child's longest path.
        reason: why it failed or is infeasible.
        source: number of the trial whose result a known one repeats.
        accuracies: validation accuracy after each epoch, in percent.
        reward: what the agent learns from, in percent, or the score of an
            untrained child; where nothing was evaluated that of guessing, or None.
        restarts: how often training started again with a lower learning rate.
        compile_seconds: spent on lowering and compiling, perhaps while others trained.
        train_seconds: spent on all else, evaluation included.
        device: what trained it.
        worker: number of the worker that trained it, from 0.
        finished: when it ended, in seconds since 1970.
        waiting_seconds: that a device waited for the compiled child.
        saved_seconds: of compiling that the persistent cache saved its process
            since the outcome before.
        filters: of each stage of its child network; empty for those of the run's layout.
        sampled: what the agent knew of it when it drew it from a policy.
    """

    number: int
    iteration: int
    epsilon: float
    code: Code
    hash: str
    seed: int
    status: Status
    density: float
    parameters: int
    flops: int
    block_flops: int
    depth: int
    reason: str | None = None
    source: int | None = None
    accuracies: tuple[float, ...] = ()
    reward: float | None = None
    restarts: int = 0
    compile_seconds: float = 0.0
    train_seconds: float = 0.0
    device: str | None = None
    worker: int | None = None
    finished: float | None = None
    waiting_seconds: float = 0.0
    saved_seconds: float = 0.0
    filters: tuple[int, ...] = ()
    sampled: Sampled | None = None

    def layout(self, of_run: Layout) -> Layout:
        """The layout of its child network.

        Args:
            of_run: that of the run.

        Returns:
            That with the trial's own filters, where it has some.
        """
        return with_filters(of_run, self.filters)

    @property
    def filters_text(self) -> str | None:
        """The filters with commas between them, as in 27,54,108; None for those of the run."""
        return ",".join(map(str, self.filters)) or None

    @property
    def accuracy(self) -> float | None:
        """Validation accuracy after the last epoch, in percent."""
        return self.accuracies[-1] if self.accuracies else None

    @property
    def saved(self) -> float:
        """Seconds of compiling that the cache saved; none where reading it took longer."""
        return max(0.0, self.saved_seconds)

    @property
    def measured_reward(self) -> float | None:
        """The reward in percent; None where nothing was trained, whatever the agent was told."""
        return self.reward if self.status in (Status.COMPLETED, Status.KNOWN) else None

    @property
    def seconds(self) -> float:
        """Seconds that it had a device to itself; compiling ahead is not among them."""
        return self.waiting_seconds + self.train_seconds


@dataclasses.dataclass(frozen=True)
class Job:
    """What an executor is asked to evaluate.

    Attributes:
        number: of the trial.
        code: the block.
        hash: names its canonical form.
        seed: of the training.
        filters: of each stage; empty for those of the layout that the worker knows.
        bank: name of the bank whose weights it is scored with; empty for weights of its own.
        scored_batch: of the validation part, which alone it is scored on; None for all of it.
        training: what is to be trained instead of a design.
        matching: what is to be compared instead, by the weights of the bank.
        mixture: likewise, of a mixture.
    """

    number: int
    code: Code
    hash: str
    seed: int
    filters: tuple[int, ...] = ()
    bank: str = ""
    scored_batch: int | None = None
    training: BankEpoch | None = None
    matching: GradientMatch | None = None
    mixture: MixtureEpoch | None = None


def job_of(trial: Trial) -> Job:
    """What an executor is asked for, so that a trial gets its outcome."""
    return Job(trial.number, trial.code, trial.hash, trial.seed, trial.filters)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an executor answers; the fields are those of `Trial`, but for three.

    Attributes:
        accuracies: as in `Trial`, and so are those that follow.
        reason: likewise.
        restarts: likewise.
        compile_seconds: likewise.
        train_seconds: likewise.
        device: likewise.
        worker: likewise.
        waiting_seconds: likewise.
        saved_seconds: likewise.
        score: of an untrained child, in the place of accuracies.
        found: what an epoch of a mixture has found, as JSON has it.
        processor_seconds: that `train_seconds` took of a processor, whatever else wanted it
            meanwhile; 0 where another device computes, or that is not known.
    """

    accuracies: tuple[float, ...] = ()
    reason: str | None = None
    restarts: int = 0
    compile_seconds: float = 0.0
    train_seconds: float = 0.0
    device: str | None = None
    worker: int | None = None
    waiting_seconds: float = 0.0
    saved_seconds: float = 0.0
    score: float | None = None
    found: dict[str, Any] | None = None
    processor_seconds: float = 0.0

    @property
    def status(self) -> Status:
        """Failed if there is a reason, completed otherwise."""
        return Status.FAILED if self.reason else Status.COMPLETED

    @property
    def of_trial(self) -> dict[str, Any]:
        """The fields that its trial has too, by name."""
        others = ("score", "found", "processor_seconds")
        return {name: value for name, value in vars(self).items() if name not in others}


def mean_entropy(trials: Iterable[Trial]) -> float | None:
    """The mean entropy of the policy that some trials were drawn from, in nats; None without one.

    Each trial tells the sum of the entropies of the distributions that its decisions were drawn
    from, whose expectation is the entropy of the policy.
    """
    entropies = [trial.sampled.entropy for trial in trials if trial.sampled]
    return statistics.fmean(entropies) if entropies else None


def with_filters(layout: Layout, filters: tuple[int, ...]) -> Layout:
    """A layout with other filters.

    Args:
        layout: to begin with.
        filters: of each stage; empty for those of the layout.

    Returns:
        The layout.
    """
    return dataclasses.replace(layout, filters=filters) if filters else layout


def child_seed(run_seed: int, block_hash: str) -> int:
    """The seed of a child, whatever its order, worker and number of attempts.

    Args:
        run_seed: the seed of the run.
        block_hash: hash of the block's canonical form.

    Returns:
        An integer of 32 bits.
    """
    digest = hashlib.sha256(f"{run_seed} {block_hash}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def final_seed(run_seed: int, block_hash: str, place: int, index: int) -> int:
    """The seed of a training in finals, which no other training of the block has.

    Args:
        run_seed: the seed of the run.
        block_hash: hash of the block's canonical form.
        place: of the round, from 1.
        index: of the training among those of the block in the round, from 1.

    Returns:
        An integer of 32 bits.
    """
    return child_seed(run_seed, f"{block_hash} in round {place} of the finals, {index}")
