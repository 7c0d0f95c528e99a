"""What a pool does with children whose workers end, in real processes and by a script."""

import json
import time

import pytest

from blockqnn.errors import UserError
from blockqnn.trial import Status
from blockqnn.workers.pool import WorkerPool
from tests.blockqnn.small_searches import CONV1, job

OUTCOME = {
    "accuracies": [50.0],
    "reason": None,
    "restarts": 0,
    "compile_seconds": 0.0,
    "train_seconds": 1.0,
    "device": "paper",
    "worker": None,
    "waiting_seconds": 0.0,
    "saved_seconds": 0.0,
}


class ScriptedWorker:
    """A worker that says what the test has it say."""

    alive, placed, ending, killed, blameless, log = True, True, "fell over", True, False, "its log"

    def __init__(self, number, said, ready=True):
        self.number, self._said = number, said
        self.told = []
        self.say({"here": f"machine-{number}", "process": 100 + number})
        if ready:
            self.get_ready()

    def get_ready(self, slots=1, ahead=0):
        self.say({"ready": "paper", "slots": slots, "ahead": ahead})

    def say(self, message):
        self._said(message if isinstance(message, str) else json.dumps(message))

    def begin(self, number):
        self.say({"started": number})

    def answer(self, number, **changes):
        self.say({"number": number, "outcome": OUTCOME | changes})

    def die(self, **how):
        for name, value in how.items():
            setattr(self, name, value)
        self.alive = False
        self._said("")

    def send(self, line):
        self.told.append(json.loads(line)["number"])

    def kill(self):
        if self.alive:
            self.die()

    def wait(self):
        pass


class Scripted:
    """A pool of scripted workers, and all workers that it ever had."""

    def __init__(self, workers, **limits):
        self.workers = []
        self.pool = WorkerPool(self._spawn, workers, 600.0, **limits)

    def _spawn(self, number, said):
        self.workers.append(ScriptedWorker(number, said))
        return self.workers[-1]

    def settle(self):
        """Lets the pool hear all that was said."""
        while self.pool._events.qsize():
            self.pool._wait()

    def submit(self, *numbers):
        self.settle()
        for number in numbers:
            self.pool.submit(job(number, CONV1))
        self.settle()


def test_a_child_whose_worker_dies_is_tried_again_at_another_one():
    scripted = Scripted(2, child_retries=1)
    first, second = scripted.workers
    scripted.submit(1, 2)
    assert (first.told, second.told) == ([1], [2])
    first.begin(1)
    second.begin(2)
    first.die()
    scripted.settle()
    third = scripted.workers[2]
    # The one that took its place is free, but it has its number; another one exists.
    assert (third.number, third.told) == (0, [])
    second.answer(2)
    scripted.settle()
    assert second.told == [2, 1]
    second.begin(1)
    second.answer(1)
    assert [scripted.pool.next_outcome()[1].status for _ in range(2)] == [Status.COMPLETED] * 2


def test_nobody_waits_for_a_worker_that_has_no_place():
    scripted = Scripted(2, child_retries=1)
    first, second = scripted.workers
    scripted.submit(1)
    assert first.told == [1]
    scripted.pool._workers[1].slots, second.placed = 0, False
    first.begin(1)
    first.die()
    scripted.settle()
    assert scripted.workers[2].told == [1]


def test_an_error_of_one_worker_among_others_says_where_it_is():
    scripted = Scripted(2)
    scripted.settle()
    scripted.workers[1].say({"error": "There is no data set here."})
    with pytest.raises(UserError, match=r"^There is no data set here\. \(worker 1 on machine-1\)$"):
        scripted.settle()


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_child_is_tried_so_often_and_then_fails_with_the_reason(retries):
    scripted = Scripted(1, child_retries=retries)
    scripted.submit(7)
    for attempt in range(retries + 1):
        assert scripted.workers[-1].told == [7], attempt
        scripted.workers[-1].begin(7)
        scripted.workers[-1].die()
        scripted.settle()
    number, outcome = scripted.pool.next_outcome()
    assert (number, outcome.status, outcome.worker) == (7, Status.FAILED, 0)
    last = f", the last of {retries + 1} attempts (--child_retries)" if retries else ""
    assert outcome.reason == "the worker fell over" + last


def test_a_lost_cluster_costs_no_child_an_attempt():
    scripted = Scripted(1)
    scripted.submit(7)
    for _ in range(20):
        scripted.workers[-1].begin(7)
        scripted.workers[-1].die(blameless=True)
        scripted.settle()
    scripted.workers[-1].begin(7)
    scripted.workers[-1].answer(7)
    assert scripted.pool.next_outcome()[1].status is Status.COMPLETED


def test_an_error_that_a_child_reports_is_its_outcome():
    scripted = Scripted(2, child_retries=3)
    scripted.submit(1)
    scripted.workers[0].begin(1)
    scripted.workers[0].answer(1, accuracies=[], reason="out of memory: 9 GB")
    number, outcome = scripted.pool.next_outcome()
    assert (number, outcome.reason) == (1, "out of memory: 9 GB")
    assert scripted.workers[1].told == []


def test_a_worker_is_renewed_after_so_many_children():
    scripted = Scripted(1, children_per_worker=2)
    scripted.submit(1, 2, 3)
    first = scripted.workers[0]
    for number in (1, 2):
        first.begin(number)
        first.answer(number)
        scripted.settle()
    assert first.told == [1, 2]
    assert not first.alive
    assert scripted.workers[1].told == [3]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "7",
        '{"odd": 1}',
        '{"number": 99, "outcome": {}}',
        '{"number": 1, "outcome": 5}',
        '{"started": 77}',
        '{"started": null}',
        json.dumps({"number": 1, "outcome": OUTCOME | {"accuracies": ["90"]}}),
        json.dumps({"number": 1, "outcome": OUTCOME | {"accuracies": [float("nan")]}}),
        json.dumps({"number": 1, "outcome": OUTCOME | {"accuracies": []}}),
        json.dumps({"number": 1, "outcome": OUTCOME | {"reason": 5}}),
        json.dumps({"number": 1, "outcome": OUTCOME | {"train_seconds": None}}),
        json.dumps({"number": 1, "outcome": OUTCOME | {"restarts": "0"}}),
        json.dumps({"number": 1, "outcome": OUTCOME | {"odd": 1}}),
        "[" * 100_000,
    ],
)
def test_a_worker_that_talks_nonsense_is_replaced(line):
    scripted = Scripted(1, child_retries=1)
    scripted.submit(1)
    scripted.workers[0].begin(1)
    scripted.workers[0].say(line)
    scripted.settle()
    assert scripted.workers[1].told == [1]
    scripted.workers[1].begin(1)
    scripted.workers[1].answer(1)
    assert scripted.pool.next_outcome()[1].accuracies == (50.0,)


def test_there_is_room_for_what_workers_have_no_child_for():
    scripted = Scripted(2)
    scripted.settle()
    assert scripted.pool.room == 2
    scripted.submit(1)
    assert scripted.pool.room == 1
    scripted.submit(2, 3)
    assert scripted.pool.room == 0
    scripted.workers[0].begin(1)
    scripted.workers[0].answer(1)
    scripted.settle()
    assert scripted.pool.room == 0, "the third has taken its place"


def test_a_pool_without_jobs_always_takes_one():
    scripted = Scripted(1, children_per_worker=1)
    scripted.submit(1)
    scripted.workers[0].begin(1)
    scripted.workers[0].answer(1)
    scripted.pool.next_outcome()
    assert scripted.pool.room >= 1


def test_who_waits_for_an_outcome_is_told_of_new_room():
    scripted = Scripted(1)
    scripted.submit(1)
    assert scripted.pool.room == 0
    scripted.pool._grow(2)
    assert scripted.pool.next_outcome_or_room() is None
    assert scripted.pool.room == 1


def test_a_watcher_learns_how_the_workers_are():
    seen = []
    scripted = Scripted(2, watcher=seen.append)
    begun = time.time()
    scripted.submit(5)
    scripted.workers[0].begin(5)
    scripted.settle()
    first, second = scripted.pool.states()
    assert (first.number, first.node, first.process) == (0, "machine-0", 100)
    assert (first.state, first.device) == ("training", "paper")
    assert [child.number for child in first.children] == [5]
    assert first.children[0].begun == pytest.approx(begun, abs=60)
    assert first.heard == pytest.approx(begun, abs=60)
    assert (second.state, second.children) == ("idle", ())
    scripted.pool._watched = -1e9
    scripted.pool._said(scripted.pool._workers[0], '{"alive": true}')
    scripted.pool._wait()
    assert [len(states) for states in seen]
    assert seen[-1][0].children[0].number == 5
