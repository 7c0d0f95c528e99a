"""A worker process whose children misbehave, each in its own way, for tests of executors.

What becomes of a child is read off the kernel of its first layer, see `OddEvaluator`.
"""

import os
import pathlib
import signal
import sys
import time

from blockqnn import worker
from blockqnn.errors import UserError
from blockqnn.evaluators import DryEvaluator
from networks.codes import check

FINE = check([(1, 1, 1, 0, 0)])
KILLED = check([(1, 1, 3, 0, 0)])
HANGING = check([(1, 1, 5, 0, 0)])
EXITING = check([(1, 2, 3, 0, 0)])
TALKING = check([(1, 3, 3, 0, 0)])


class OddEvaluator(DryEvaluator):
    """Answers, is killed, hangs, exits or writes to standard output."""

    device = f"{os.getpid()} on {os.environ.get('CUDA_VISIBLE_DEVICES')}"

    def evaluate(self, job):
        if job.code == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        if job.code == HANGING:
            begun = pathlib.Path(os.environ["ODD_WORKER_BEGUN"])
            begun.with_suffix(".new").write_text(str(os.getpid()))
            begun.with_suffix(".new").rename(begun)
            time.sleep(3600)
        if job.code == EXITING:
            sys.exit(3)
        if job.code == TALKING:
            print("printed")
            os.write(1, b"written\n")
            os.system("echo said by a child")
        return super().evaluate(job)


def make_evaluator(name, data, recipe, layout):
    """Stands in for `blockqnn.evaluators.make_evaluator`."""
    if data.dataset == "refused":
        raise UserError("The images are refused.")
    if data.dataset == "crash":
        raise RuntimeError("worker trouble")
    return OddEvaluator(recipe.epochs, layout.classes)


if __name__ == "__main__":
    worker.make_evaluator = make_evaluator
    worker.main()
