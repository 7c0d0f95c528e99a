"""The process that trains children: jobs come in on stdin, outcomes go out on stdout.

Both are lines of JSON. The first line in holds the settings; the first line
out says that the worker is ready, or why it cannot be. Whatever else writes to
standard output is sent to standard error, which the driver keeps as a log.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import queue
import sys
import threading
from typing import Any, TextIO

from blockqnn.errors import UserError
from blockqnn.evaluators import make_evaluator
from blockqnn.settings import DataSettings, Recipe
from blockqnn.trial import Job, Outcome
from networks.codes import parse, write
from networks.layout import Layout


def encode_settings(evaluator: str, data: DataSettings, recipe: Recipe, layout: Layout) -> str:
    """The first line that a worker reads."""
    return json.dumps(
        {
            "evaluator": evaluator,
            "data": dataclasses.asdict(data),
            "recipe": dataclasses.asdict(recipe),
            "layout": dataclasses.asdict(layout),
        }
    )


def encode_job(job: Job) -> str:
    """A line that asks a worker for an evaluation."""
    return json.dumps(dataclasses.asdict(job) | {"code": write(job.code)})


def decode_outcome(message: dict[str, Any], worker: int) -> Outcome:
    """The outcome that a worker's answer holds."""
    fields = message["outcome"] | {"worker": worker}
    return Outcome(**fields | {"accuracies": tuple(fields["accuracies"])})


def main() -> None:
    """Answers jobs until standard input closes, which also ends a child under way."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin, lines), daemon=True).start()
    settings = json.loads(lines.get())
    layout = settings["layout"] | {"filters": tuple(settings["layout"]["filters"])}
    try:
        evaluator = make_evaluator(
            settings["evaluator"],
            DataSettings(**settings["data"]),
            Recipe(**settings["recipe"]),
            Layout(**layout),
        )
    except UserError as error:
        answers.write(json.dumps({"error": str(error)}) + "\n")
        return
    answers.write(json.dumps({"ready": evaluator.device}) + "\n")
    while True:
        fields = json.loads(lines.get())
        # The driver has checked the block against its own limit on layers.
        code = parse(fields["code"], max_layers=sys.maxsize)
        outcome = evaluator.evaluate(Job(**fields | {"code": code}))
        message = {"number": fields["number"], "outcome": dataclasses.asdict(outcome)}
        answers.write(json.dumps(message) + "\n")


def _read(stream: TextIO, lines: queue.Queue[str]) -> None:
    """Passes lines on; when the driver is gone, so is the worker, whatever it is doing."""
    for line in stream:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
