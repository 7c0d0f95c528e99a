"""A worker process whose children misbehave, each in its own way, for tests of executors.

What becomes of a child is read off the kernel of its first layer, see `OddEvaluator`.
"""

import os
import pathlib
import signal
import time

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DryEvaluator
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.workers import worker

FINE = check([(1, 1, 1, 0, 0)])
KILLED = check([(1, 1, 3, 0, 0)])
HANGING = check([(1, 1, 5, 0, 0)])
EXITING = check([(1, 2, 3, 0, 0)])
TALKING = check([(1, 3, 3, 0, 0)])
WAITING = check([(1, 3, 1, 0, 0)])
CRASHING = check([(1, 2, 1, 0, 0)])


class OddEvaluator(DryEvaluator):
    """Answers, is killed, hangs, exits, waits for a file or writes to standard output."""

    device = " ".join(
        [
            f"{os.getpid()} on {os.environ.get('CUDA_VISIBLE_DEVICES')}",
            f"share {os.environ.get('XLA_PYTHON_CLIENT_MEM_FRACTION')}",
            f"cores {','.join(map(str, sorted(os.sched_getaffinity(0))))}",
        ]
    )

    def prepare(self, job, slot):
        if job.code == CRASHING:
            os.kill(os.getpid(), signal.SIGKILL)

    def evaluate(self, job, slot):
        if job.code == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        if job.code == HANGING:
            begun = pathlib.Path(os.environ["ODD_WORKER_BEGUN"])
            begun.with_suffix(".new").write_text(str(os.getpid()))
            begun.with_suffix(".new").rename(begun)
            time.sleep(3600)
        if job.code == EXITING:
            os._exit(3)
        if job.code == WAITING:
            wait_for_file("ODD_WORKER_GO")
        if job.code == TALKING:
            print("printed")
            os.write(1, b"written\n")
            os.system("echo said by a child")
        return super().evaluate(job, slot)


def wait_for_file(variable):
    """Waits until there is the file that a variable names, if it is set."""
    path = os.environ.get(variable)
    while path and not pathlib.Path(path).exists():
        time.sleep(0.005)


def make_evaluator(name, data, recipe, layout, worker, table, proxy, shared):
    """Stands in for `blockqnn.evaluation.contract.make_evaluator`."""
    wait_for_file("ODD_WORKER_START")
    if data.dataset == "refused":
        raise UserError("The images are refused.")
    if data.dataset == "crash":
        raise RuntimeError("worker trouble")
    evaluator = OddEvaluator(recipe.epochs, layout.classes)
    evaluator.slots, evaluator.ahead = worker.devices or 1, worker.compile_threads - 1
    return evaluator


if __name__ == "__main__":
    worker.make_evaluator = make_evaluator
    worker.main()
