"""The loop over epochs: steps, figures, checkpoints, and an early end where one is asked for."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import jax

from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.full_training.feeding import Feed
from blockqnn.full_training.keeper import Keeper
from blockqnn.full_training.measuring import Measured
from blockqnn.full_training.program import Program, State
from blockqnn.full_training.settings import Saving

_STEPS_IN_FLIGHT = 2
"""The host waits for the step before these, so that it notices a signal soon."""


class DivergedError(Exception):
    """A training whose loss is not a finite number."""


@dataclasses.dataclass(frozen=True)
class Epoch:
    """An epoch that has ended.

    Attributes:
        epoch: its number, from 1.
        loss: mean of its steps.
        accuracy: on the batches as they were trained on, augmented, in percent.
        validation_accuracy: after it, in percent; None where nothing is held out.
        validation_loss: likewise.
        learning_rate: of its last step.
        seconds: that it took, validation included.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    validation_loss: float | None
    learning_rate: float
    seconds: float


class Trainer:
    """Trains a network from one state to its end."""

    def __init__(
        self,
        program: Program,
        feed: Feed,
        validate: Callable[[State], Measured] | None,
        keeper: Keeper,
        saving: Saving,
        start: Metadata,
        epochs: int,
        batch_size: int,
    ):
        """Takes the parts.

        Args:
            program: that trains.
            feed: of the program.
            validate: measures a state on the validation part; None where there is none.
            keeper: of the checkpoints.
            saving: when to write them.
            start: describes the state that the training begins with.
            epochs: of the whole training.
            batch_size: images in a step.
        """
        self._program, self._feed, self._validate = program, feed, validate
        self._keeper, self._saving = keeper, saving
        self._start, self._epochs, self._batch_size = start, epochs, batch_size
        self.stopped = False

    def run(
        self, state: State, stop: Callable[[], bool], step_made: Callable[[int, int], None]
    ) -> Iterator[Epoch]:
        """Trains, and saves now and then, at the end, and when it is to stop.

        Args:
            state: that the training begins with; it is used up.
            stop: asked after each step; after a yes the state is saved and this ends.
            step_made: is told after each step of its epoch, from 1, and its place in it.

        Yields:
            Each epoch that has ended.

        Raises:
            DivergedError: if the loss of an epoch is not finite.
            UserError: if a checkpoint cannot be written.
        """
        steps = self._start.steps_per_epoch
        step, spent = self._start.step, self._start.epoch_seconds
        history = list(self._start.history)
        waiting: collections.deque[jax.Array] = collections.deque()
        while step < self._epochs * steps:
            epoch, first = divmod(step, steps)
            begun = time.perf_counter() - spent
            for after, loss in self._feed.advance(state, epoch, first):
                state, step = after, step + 1
                step_made(epoch + 1, step - epoch * steps)
                waiting.append(loss)
                if len(waiting) > _STEPS_IN_FLIGHT:
                    waiting.popleft().block_until_ready()
                if step % steps and stop():
                    self._save(state, step, history, time.perf_counter() - begun)
                    self.stopped = True
                    return
            ended = self._ended(state, epoch, step, begun)
            history.append(dataclasses.asdict(ended))
            last = step == self._epochs * steps
            self.stopped = not last and stop()
            if last or self.stopped or (epoch + 1) % self._saving.every_epochs == 0:
                self._save(state, step, history, 0.0)
            spent = 0.0
            yield ended
            if self.stopped:
                return

    def _ended(self, state: State, epoch: int, step: int, begun: float) -> Epoch:
        steps = self._start.steps_per_epoch
        sums: dict[str, Any] = jax.device_get(state["sums"])
        loss = float(sums["loss"]) / steps
        if not math.isfinite(loss):
            raise DivergedError(f"The loss is {loss} in epoch {epoch + 1}.")
        measured = self._validate(state) if self._validate else None
        return Epoch(
            epoch=epoch + 1,
            loss=loss,
            accuracy=100.0 * int(sums["correct"]) / (steps * self._batch_size),
            validation_accuracy=100.0 - measured.error if measured else None,
            validation_loss=measured.loss if measured else None,
            learning_rate=self._program.learning_rate(step - 1),
            seconds=time.perf_counter() - begun,
        )

    def _save(self, state: State, step: int, history: list[dict[str, Any]], seconds: float) -> None:
        metadata = dataclasses.replace(
            self._start, step=step, history=history, epoch_seconds=seconds
        )
        self._keeper.save(self._program, state, metadata)


class StopRequest:
    """Whether a training is to stop: a signal has come, or its time is over."""

    def __init__(self, max_seconds: float, now: Callable[[], float] = time.monotonic):
        """Begins to wait.

        Args:
            max_seconds: after which the answer is yes; 0 for no limit.
            now: the time in seconds.
        """
        self._now = now
        self._end = now() + max_seconds if max_seconds else math.inf
        self._reason = ""

    def __call__(self) -> bool:
        """Whether to stop."""
        if not self._reason and self._now() >= self._end:
            self._reason = "its time is over (--max_seconds)"
        return bool(self._reason)

    @property
    def reason(self) -> str:
        """Why, in words; empty as long as there is none."""
        return self._reason

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Takes SIGINT and SIGTERM as requests, until the second of them.

        Yields:
            Nothing; the former handlers are put back at the end.
        """
        # Python runs handlers in the main thread alone.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._received) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _received(self, number: int, _: FrameType | None) -> None:
        if self._reason:
            raise KeyboardInterrupt
        self._reason = f"{signal.Signals(number).name} came"
