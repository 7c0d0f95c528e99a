"""The evaluator that trains: what it makes of a child, on one device and on several."""

import dataclasses
import gc
import threading
import time

import jax
import pytest

from blockqnn.children import training
from blockqnn.children.devices import worker_devices
from blockqnn.children.training import TrainingError
from blockqnn.errors import UserError
from blockqnn.evaluation import teaching as train_evaluator
from blockqnn.evaluation.training import TrainEvaluator
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.trial import Status
from tests.blockqnn.small_searches import CONV1, CONV3, CONV5, job

LAYOUT = Layout(filters=(2,), repeats=1, height=4, width=4, channels=1, classes=10)
DATA = DataSettings("synthetic:4x4x1:10:120")
RECIPE = Recipe(epochs=2, batch_size=20)
WHOLE = dataclasses.replace(RECIPE, execution="whole")


@pytest.fixture(scope="module")
def evaluator():
    return TrainEvaluator(DATA, RECIPE, LAYOUT, WorkerSettings())


def test_a_child_is_really_trained(evaluator):
    outcome = evaluator.evaluate(job(1, CONV3), 0)
    assert outcome.status is Status.COMPLETED
    assert len(outcome.accuracies) == 2
    assert all(0 <= accuracy <= 100 for accuracy in outcome.accuracies)
    assert outcome.compile_seconds > 0
    assert outcome.train_seconds > 0
    assert outcome.device == jax.devices()[0].device_kind
    assert outcome.worker is None


def test_the_same_child_has_the_same_accuracies_whatever_was_before(evaluator):
    first, _, again, other = (
        evaluator.evaluate(dataclasses.replace(job(n, code), seed=seed), 0)
        for n, (code, seed) in enumerate([(CONV3, 5), (CONV1, 5), (CONV3, 5), (CONV3, 6)])
    )
    assert first.accuracies == again.accuracies
    assert first.accuracies != other.accuracies


def test_a_loss_that_is_not_finite_fails_the_child_alone(evaluator):
    exploding = dataclasses.replace(Recipe(), learning_rate=1e38, restarts=0)
    outcome = TrainEvaluator(DATA, exploding, LAYOUT, WorkerSettings()).evaluate(job(1, CONV3), 0)
    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith(("loss is nan", "loss is inf"))
    assert outcome.accuracies == ()
    assert evaluator.evaluate(job(2, CONV3), 0).status is Status.COMPLETED


@pytest.mark.parametrize(
    ("error", "beginning"),
    [
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory of 9 bytes.\nmore"),
            "out of memory: RESOURCE_EXHAUSTED: Out of memory of 9 bytes.",
        ),
        (MemoryError(), "out of memory"),
        (MemoryError("Unable to allocate 8 TiB"), "out of memory: Unable to allocate 8 TiB"),
        (jax.errors.JaxRuntimeError("INTERNAL: crash\nin LLVM"), "compiler or runtime: INTERNAL"),
        (jax.errors.JaxRuntimeError(""), "compiler or runtime"),
        (ValueError("odd\nand long"), "ValueError: odd"),
        (TrainingError("loss is nan in epoch 1"), "loss is nan in epoch 1"),
    ],
    ids=["device memory", "memory", "numpy memory", "compiler", "silent", "other", "loss"],
)
def test_what_goes_wrong_fails_the_child_with_a_reason_of_one_line(
    evaluator, monkeypatch, error, beginning
):
    def broken(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(training, "make_execution", broken)
        outcome = evaluator.evaluate(job(1, CONV3), 0)
    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith(beginning)
    assert len(outcome.reason.splitlines()) == 1
    assert outcome.device == evaluator.device
    assert evaluator.evaluate(job(2, CONV3), 0).status is Status.COMPLETED


@pytest.fixture
def make():
    """Makes evaluators that compile their children whole."""

    def make(devices=1, compile_threads=1):
        settings = WorkerSettings(devices, compile_threads=compile_threads)
        return TrainEvaluator(DATA, WHOLE, LAYOUT, settings)

    return make


@pytest.fixture
def compiling(monkeypatch):
    """Notes which threads compile, and holds them up until it is released."""

    class Compiling:
        def __init__(self):
            self.threads, self.released, self.devices = [], threading.Event(), []

        def __call__(self, *arguments):
            self.threads.append(threading.current_thread().name)
            self.devices.append(jax.numpy.zeros(()).devices())
            assert self.released.wait(60)
            return training.compile_child(*arguments)

    compiling = Compiling()
    monkeypatch.setattr(train_evaluator, "compile_child", compiling)
    return compiling


def test_children_compiled_whole_are_compiled_ahead_and_layers_are_not(make):
    assert (make().slots, make().ahead) == (1, 1)
    assert (make(3, 2).slots, make(3, 2).ahead) == (3, 2)
    layers = TrainEvaluator(DATA, RECIPE, LAYOUT, WorkerSettings(2, compile_threads=4))
    assert (layers.slots, layers.ahead) == (2, 0)
    layers.prepare(job(1, CONV3), 0)
    assert layers.evaluate(job(1, CONV3), 0).status is Status.COMPLETED


def test_a_prepared_child_is_compiled_in_the_background_and_not_waited_for(make, compiling):
    evaluator = make()
    evaluator.prepare(job(1, CONV3), 0)
    compiling.released.set()
    while not evaluator._compiling[1].done():
        time.sleep(0.01)
    outcome = evaluator.evaluate(job(1, CONV3), 0)
    assert outcome.status is Status.COMPLETED
    assert outcome.compile_seconds > 0.001 > outcome.waiting_seconds
    assert [name.split("_")[0] for name in compiling.threads] == ["compiler"]


def test_what_is_not_prepared_is_waited_for(make):
    outcome = make().evaluate(job(1, CONV3), 0)
    assert outcome.waiting_seconds >= outcome.compile_seconds > 0
    assert outcome.train_seconds > 0


def test_a_child_that_no_thread_has_begun_to_compile_is_compiled_at_once(make, compiling):
    evaluator = make()
    evaluator.prepare(job(1, CONV3), 0)
    evaluator.prepare(job(2, CONV5), 0)
    while not compiling.threads:
        time.sleep(0.01)
    threading.Timer(0.05, compiling.released.set).start()
    assert evaluator.evaluate(job(2, CONV5), 0).status is Status.COMPLETED
    assert compiling.threads[1] == threading.current_thread().name
    assert evaluator.evaluate(job(1, CONV3), 0).status is Status.COMPLETED
    assert len(compiling.threads) == 2


def test_a_child_is_compiled_and_trained_on_the_device_of_its_slot(make, compiling, monkeypatch):
    compiling.released.set()
    trained_on = []

    def train_compiled(child, recipe, train, *rest):
        trained_on.append((jax.numpy.zeros(()).devices(), train.images.devices()))
        return training.train_compiled(child, recipe, train, *rest)

    monkeypatch.setattr(train_evaluator, "train_compiled", train_compiled)
    evaluator = make(devices=4)
    for slot in (3, 1):
        evaluator.prepare(job(slot, CONV3), slot)
        evaluator.evaluate(job(slot, CONV3), slot)
    wanted = [{jax.local_devices()[slot]} for slot in (3, 1)]
    assert compiling.devices == wanted
    assert trained_on == [(device, device) for device in wanted]


@pytest.mark.parametrize("recipe", [RECIPE, WHOLE], ids=["layers", "whole"])
def test_all_devices_train_at_the_same_time_and_give_what_one_gives(recipe, monkeypatch):
    codes = [CONV1, CONV3, CONV5, check([(1, 1, 3, 0, 0), (2, 1, 3, 1, 0)])]
    one = TrainEvaluator(DATA, recipe, LAYOUT, WorkerSettings())
    wanted = [one.evaluate(job(n, code), 0).accuracies for n, code in enumerate(codes)]
    together = threading.Barrier(len(codes), timeout=60)

    def train_compiled(*arguments):
        together.wait()
        return training.train_compiled(*arguments)

    monkeypatch.setattr(train_evaluator, "train_compiled", train_compiled)
    many = TrainEvaluator(DATA, recipe, LAYOUT, WorkerSettings(4, compile_threads=2))
    found = {}

    def work(slot, number):
        found[number] = many.evaluate(job(number, codes[number]), slot)

    threads = [threading.Thread(target=work, args=(slot, 3 - slot)) for slot in range(4)]
    for slot in range(4):
        many.prepare(job(3 - slot, codes[3 - slot]), slot)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number].accuracies for number in range(4)] == wanted


@pytest.mark.parametrize("error", [RuntimeError("no such program"), MemoryError()])
def test_an_error_in_compiling_ahead_fails_that_child_alone(make, monkeypatch, error):
    def broken(*_):
        raise error

    evaluator = make()
    with monkeypatch.context() as patch:
        patch.setattr(training, "make_execution", broken)
        evaluator.prepare(job(1, CONV3), 0)
        while not evaluator._compiling[1].done():
            time.sleep(0.01)
    evaluator.prepare(job(2, CONV3), 0)
    outcome = evaluator.evaluate(job(1, CONV3), 0)
    assert outcome.status is Status.FAILED
    assert "no such program" in outcome.reason or "out of memory" in outcome.reason
    assert (outcome.compile_seconds, outcome.train_seconds) == (0, 0)
    assert evaluator.evaluate(job(2, CONV3), 0).status is Status.COMPLETED


def test_children_that_have_ended_leave_nothing_on_the_device(make):
    evaluator = make(compile_threads=2)
    gc.collect()
    gc.disable()
    try:
        held = []
        for number, code in enumerate([CONV3, CONV5, CONV1, CONV3, CONV5, CONV1]):
            evaluator.prepare(job(number, code), 0)
            assert evaluator.evaluate(job(number, code), 0).status is Status.COMPLETED
            held.append(len(jax.live_arrays()))
    finally:
        gc.enable()
    assert len(set(held)) == 1
    assert not evaluator._compiling


def test_more_devices_than_there_are_are_refused(make):
    assert make(4).slots == 4
    with pytest.raises(UserError, match="--devices_per_worker is 5, but a worker sees 4 devices"):
        make(5)


def test_a_tpu_is_used_whole_and_anything_else_as_asked(monkeypatch):
    class Core:
        platform = "tpu"

    monkeypatch.setattr(jax, "local_devices", lambda: [Core()] * 8)
    assert len(worker_devices(0)) == 8
    assert len(worker_devices(3)) == 3
    monkeypatch.undo()
    assert len(worker_devices(0)) == 1
