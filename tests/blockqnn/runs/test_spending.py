"""What a report says of the time that a search took, and of what failed."""

from blockqnn.runs.spending import elapsed, reasons, time_spent
from blockqnn.trial import Status
from tests.blockqnn.trials_by_hand import EPOCH, trial

KNOWN, INFEASIBLE, FAILED = Status.KNOWN, Status.INFEASIBLE, Status.FAILED


def child(number, iteration, lane, begun, waiting, training, **fields):
    """A trained block on one of two devices, by when it began."""
    return trial(
        number,
        iteration,
        accuracy=50.0,
        worker=lane,
        device="cpu",
        waiting_seconds=waiting,
        train_seconds=training,
        finished=EPOCH + begun + waiting + training,
        **fields,
    )


def test_seconds_by_what_devices_did():
    found = time_spent(
        [
            child(1, 1, 0, begun=0, waiting=4, training=6, compile_seconds=5.0),
            child(2, 1, 1, begun=0, waiting=0, training=8, saved_seconds=3.0),
            # From 10 to 30 one device trains and the other has nothing.
            child(3, 2, 0, begun=10, waiting=0, training=20),
            trial(4, 2, INFEASIBLE, finished=EPOCH + 500),
            trial(5, 2, KNOWN, accuracy=50.0, finished=EPOCH + 500),
        ]
    )
    assert found["lanes"] == 2
    assert found["per_iteration"] == {
        "iteration": [1, 2],
        "training": [14, 20],
        "waiting": [4, 0],
        "idle": [2, 20],
    }
    assert (found["training"], found["waiting"], found["idle"]) == (34, 4, 22)
    assert found["span"] == 30
    assert found["shares"] == {"training": 34 / 60, "waiting": 4 / 60, "idle": 22 / 60}
    assert (found["compiling"], found["saved"], found["stopped"]) == (5.0, 3.0, 0.0)


def test_a_worker_of_several_devices_has_as_many_lanes():
    found = time_spent(
        [
            child(1, 1, 0, begun=0, waiting=0, training=10),
            child(2, 1, 0, begun=0, waiting=0, training=8),
            # What the driver heard of a little late overlaps no other child in earnest.
            child(3, 2, 0, begun=9.5, waiting=0, training=10),
            child(4, 2, 0, begun=10, waiting=0, training=4),
        ]
    )
    assert found["lanes"] == 2
    assert found["idle"] == 2 * 19.5 - 32


def test_time_in_which_the_search_was_stopped_is_not_idle():
    trials = [
        child(1, 1, 0, begun=0, waiting=0, training=10),
        child(2, 1, 0, begun=3610, waiting=0, training=10),
        child(3, 2, 0, begun=3640, waiting=0, training=10),
    ]
    found = time_spent(trials)
    assert (found["stopped"], found["training"], found["idle"]) == (3600, 30, 20)
    assert elapsed(trials) == {1: 10, 2: 20, 3: 50}


def test_a_long_child_is_no_stop():
    trials = [
        child(1, 1, 0, begun=0, waiting=0, training=500),
        child(2, 1, 1, begun=0, waiting=0, training=10),
        child(3, 1, 1, begun=480, waiting=0, training=20),
    ]
    found = time_spent(trials)
    assert (found["stopped"], found["idle"]) == (0, 470)


def test_a_dry_run_took_no_time():
    found = time_spent([trial(1, accuracy=50.0), trial(2, accuracy=60.0)])
    assert (found["lanes"], found["span"], found["idle"]) == (0, 0, 0)
    assert set(found["shares"].values()) == {0}
    assert elapsed([trial(1, accuracy=50.0)]) == {}


def test_reasons_are_counted_without_what_differs_from_block_to_block():
    found = reasons(
        [
            trial(1, status=INFEASIBLE, reason="no convolution"),
            trial(2, status=INFEASIBLE, reason="39,475,712 FLOPs, allowed are 20,000,000"),
            trial(3, status=INFEASIBLE, reason="28,733,312 FLOPs, allowed are 20,000,000"),
            trial(4, status=FAILED, reason="the worker died\nand more"),
            trial(5, accuracy=50.0),
        ]
    )
    assert found == [
        {
            "status": "infeasible",
            "reason": "more than 20,000,000 FLOPs",
            "count": 2,
            "trial": 2,
        },
        {"status": "infeasible", "reason": "no convolution", "count": 1, "trial": 1},
        {"status": "failed", "reason": "the worker died", "count": 1, "trial": 4},
    ]


def test_rare_reasons_are_summed():
    found = reasons([trial(i, status=FAILED, reason=f"reason {i}") for i in range(1, 26)])
    assert len(found) == 21
    assert (found[-1]["reason"], found[-1]["count"]) == ("5 other reasons", 5)
    assert sum(row["count"] for row in found) == 25
