"""What a person sees while the supernet of a search is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from blockqnn.listing import about, counted, duration, number
from blockqnn.runs.supernet_record import EpochEnded
from blockqnn.searching.supernet import SupernetPhase
from blockqnn.workers.contract import Executor

_SECONDS = 10.0
"""Between two lines, but for the first and the last."""


def train_banks(
    phase: SupernetPhase,
    executor: Executor,
    stream: TextIO,
    listeners: Sequence[Callable[[EpochEnded], None]] = (),
) -> None:
    """Trains what is missing, with a line now and then.

    Args:
        phase: whose banks.
        executor: that trains them.
        stream: for the lines.
        listeners: are told of each epoch.
    """
    if phase.finished:
        return
    count = phase.banks
    print(
        f"Training {'the supernet' if count == 1 else f'{count} supernets'}, "
        f"{counted(phase.epochs, 'epoch')} in all. The first compiles its programs ...",
        file=stream,
        flush=True,
    )
    begun = said = time.monotonic()
    ended, told = 0, len(phase.splits)
    for epoch in phase.run(executor):
        ended += 1
        for words in phase.splits[told:]:
            print(f"  {words}", file=stream, flush=True)
        told = len(phase.splits)
        for listener in listeners:
            listener(epoch)
        now = time.monotonic()
        last = epoch.done == epoch.total
        if ended > 1 and not last and epoch.epoch < epoch.epochs and now - said < _SECONDS:
            continue
        said = now
        left = (now - begun) / ended * (epoch.total - epoch.done)
        name = "" if count == 1 else f"{epoch.part}: "
        rest = "" if last else f", about {about(left)} left"
        print(
            f"  {name}epoch {epoch.epoch} of {epoch.epochs}, loss {number(epoch.loss, 3)}, "
            f"{epoch.seconds:.1f} s{rest}",
            file=stream,
            flush=True,
        )
    images, seconds = phase.spent()
    print(f"Trained on {images:,} {phase.examples} in {duration(seconds)} of workers.", file=stream)
