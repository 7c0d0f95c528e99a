"""The process that trains children: jobs come in on stdin, outcomes go out on stdout.

Both are lines of JSON. The first line in holds the settings; the first line
out says where the worker is, the next that it is ready and for how many jobs,
or why it cannot be. Then each job is answered twice: when it is begun and when
it has ended. In between the worker says now and then that it is alive.
Whatever else writes to standard output is sent to standard error, which the
driver keeps as a log.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import platform
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import Evaluator, SharedWeights, make_evaluator
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import parse, write
from blockqnn.settings import (
    NO_TABLE,
    DataSettings,
    DrySettings,
    Recipe,
    TableSettings,
    WorkerSettings,
)
from blockqnn.shared_work import BankEpoch, GradientMatch, MixtureEpoch
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.trial import Job, Outcome

HEARTBEAT_SECONDS = 5.0
"""Between two signs of life."""


def encode_settings(
    evaluator: str,
    data: DataSettings,
    recipe: Recipe,
    layout: Layout,
    worker: WorkerSettings,
    table: TableSettings = NO_TABLE,
    proxy: str = "",
    shared: SharedWeights | None = None,
) -> str:
    """The first line that a worker reads."""
    return json.dumps(
        {
            "evaluator": evaluator,
            "data": dataclasses.asdict(data),
            "recipe": dataclasses.asdict(recipe),
            "layout": layout.as_json(),
            "worker": dataclasses.asdict(worker),
            "table": dataclasses.asdict(table),
            "proxy": proxy,
            "shared": shared and [dataclasses.asdict(shared[0]), shared[1]],
        }
    )


def encode_job(job: Job) -> str:
    """A line that asks a worker for an evaluation."""
    fields = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    if job.training is not None:
        paths = [write(code) for code in job.training.paths]
        fields["training"] = dataclasses.asdict(dataclasses.replace(job.training, paths=()))
        fields["training"]["paths"] = paths
    if job.matching is not None:
        designs = [write(code) for code in job.matching.designs]
        fields["matching"] = {
            "end": job.matching.end,
            "edges": dict(job.matching.edges),
            "designs": designs,
        }
    if job.mixture is not None:
        fields["mixture"] = dataclasses.asdict(job.mixture)
    return json.dumps(fields | {"code": write(job.code)})


def decode_job(line: str) -> Job:
    """What a line that asks for an evaluation means."""
    fields = json.loads(line)
    # The driver has checked the block against its own limit on layers.
    fields["code"] = parse(fields["code"], max_layers=sys.maxsize)
    if fields["training"] is not None:
        paths = tuple(parse(text, max_layers=sys.maxsize) for text in fields["training"]["paths"])
        fields["training"] = BankEpoch(**fields["training"] | {"paths": paths})
    if fields["matching"] is not None:
        own = fields["matching"]
        fields["matching"] = GradientMatch(
            own["end"],
            {edge: tuple(operations) for edge, operations in own["edges"].items()},
            tuple(parse(text, max_layers=sys.maxsize) for text in own["designs"]),
        )
    if fields["mixture"] is not None:
        fields["mixture"] = MixtureEpoch(**fields["mixture"])
    return Job(**fields | {"filters": tuple(fields["filters"])})


def decode_outcome(message: dict[str, Any], worker: int) -> Outcome:
    """The outcome that a worker's answer holds.

    Args:
        message: the answer.
        worker: who gave it.

    Returns:
        The outcome.

    Raises:
        ValueError: if the answer is not as a worker gives it.
    """
    fields = message["outcome"]
    if not isinstance(fields, dict):
        raise ValueError("an outcome without fields")
    outcome = Outcome(
        **fields | {"accuracies": tuple(map(_finite, fields["accuracies"])), "worker": worker}
    )
    for kind in ("compile", "train", "waiting", "saved", "processor"):
        _finite(getattr(outcome, f"{kind}_seconds"))
    if outcome.score is not None:
        _finite(outcome.score)
    for name in ("reason", "device"):
        if not isinstance(getattr(outcome, name), str | None):
            raise ValueError(f"{name} is no text")
    if not isinstance(outcome.found, dict | None):
        raise ValueError("what was found is no object")
    if type(outcome.restarts) is not int:
        raise ValueError("restarts is no integer")
    if outcome.reason is None and not outcome.accuracies and outcome.score is None:
        raise ValueError("neither an accuracy nor a reason")
    return outcome


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)


def main() -> None:
    """Answers jobs until standard input closes, which also ends children under way."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    stream, lock = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8"), threading.Lock()
    os.dup2(2, 1)

    def write(line: str) -> None:
        with lock:
            stream.write(line + "\n")

    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin, lines), daemon=True).start()
    serve(lines, write)


def serve(lines: queue.Queue[str], say: Callable[[str], None]) -> None:
    """Answers jobs for ever, or until it has said why it cannot.

    Args:
        lines: what the worker is told, settings first.
        say: passes an answer on; called from several threads.
    """
    answers = _Answers(say)
    answers.write({"here": platform.node(), "process": os.getpid()})
    threading.Thread(target=_beat, args=(answers,), daemon=True).start()
    settings = json.loads(lines.get())
    worker = settings["worker"] | {"dry": DrySettings(**settings["worker"]["dry"])}
    layout = settings["layout"] | {"filters": tuple(settings["layout"]["filters"])}
    shared = settings["shared"]
    try:
        evaluator = make_evaluator(
            settings["evaluator"],
            DataSettings(**settings["data"]),
            Recipe(**settings["recipe"]),
            Layout(**layout),
            WorkerSettings(**worker),
            TableSettings(**settings["table"]),
            settings["proxy"],
            shared and (SupernetSettings(**shared[0]), shared[1]),
        )
    except UserError as error:
        answers.write({"error": str(error)})
        return
    slots = [_Slot(number, evaluator, answers) for number in range(evaluator.slots)]
    answers.write({"ready": evaluator.device, "slots": len(slots), "ahead": evaluator.ahead})
    while True:
        job = decode_job(lines.get())
        # What is compiled ahead is compiled for one device, so the job's slot is chosen now: a
        # free one, if there is any. What waits there cannot move when another becomes free.
        min(slots, key=lambda slot: slot.load).take(job)


def _beat(answers: _Answers) -> None:
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        answers.write({"alive": True})


class _Answers:
    """Messages to the driver, from all threads."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say

    def write(self, message: dict[str, Any]) -> None:
        self._say(json.dumps(message))


class _Slot:
    """A thread that evaluates jobs one after the other."""

    def __init__(self, number: int, evaluator: Evaluator, answers: _Answers):
        self._number, self._evaluator, self._answers = number, evaluator, answers
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._taken = self._ended = 0
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def load(self) -> int:
        """How many jobs it has, with the one under way."""
        return self._taken - self._ended

    def take(self, job: Job) -> None:
        self._taken += 1
        self._evaluator.prepare(job, self._number)
        self._jobs.put(job)

    def _work(self) -> None:
        try:
            while True:
                job = self._jobs.get()
                self._answers.write({"started": job.number})
                outcome = self._evaluator.evaluate(job, self._number)
                # Before the driver knows, and sends another one.
                self._ended += 1
                fields = dataclasses.asdict(outcome)
                self._answers.write({"number": job.number, "outcome": fields})
        except BaseException:
            # The driver learns that a process has ended, not that a thread has.
            traceback.print_exc()
            os._exit(1)


def _read(stream: TextIO, lines: queue.Queue[str]) -> None:
    """Passes lines on; when the driver is gone, so is the worker, whatever it is doing."""
    for line in stream:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
