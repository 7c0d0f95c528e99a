"""`bench --measure_lowerings`: a table of this machine, and who takes it."""

import contextlib
import json

import pytest

from blockqnn.bench import lowering_measurements
from blockqnn.networks import lowerings
from blockqnn.networks.lowerings import CANDIDATES, Row, Shape
from blockqnn.networks.processor import kind_of_processor, processor_name
from blockqnn.runs.store import FILE_NAME, Store
from tests.blockqnn.searching.test_command import SMOKE


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """One small shape of each kind, and a cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lowering_measurements, "STAGES", {4: (2,), 2: (2,)})
    monkeypatch.setattr(lowering_measurements, "KERNELS", (3,))
    monkeypatch.setattr(lowering_measurements, "TIMES_INPUTS", (1,))
    monkeypatch.setattr(lowering_measurements, "_ROUNDS", 1)
    monkeypatch.setattr(lowerings, "_in_use", None)
    # On all processors the same: none that comes with the program.
    monkeypatch.setattr(lowerings, "_TABLES", tmp_path / "tables")
    # The rest of the tests shall keep its cores.
    monkeypatch.setattr(lowering_measurements.os, "sched_setaffinity", lambda *_: None)
    return tmp_path


def test_the_table_is_kept_and_taken_by_what_follows(machine, blockqnn):
    status, out, err = blockqnn("bench", "--measure_lowerings", "--batch_size=8")
    assert status == 0
    assert err.startswith(f"Processor:  {processor_name()} ({kind_of_processor()}), one core\n")
    assert "Shapes:     2, in batches of 8" in err and "\nshape 1/2  about " in err
    path = lowerings.own_table()
    assert f"Kept in {path}, by which children and trainings here are computed" in out
    assert [line.split()[:4] for line in out.splitlines()[2:4]] == [
        ["4x4", "3x3", "2", "to"],
        ["2x2", "3x3", "2", "to"],
    ]
    kept = json.loads(path.read_text())
    assert (kept["kind"], kept["batch_size"]) == (kind_of_processor(), 8)
    first, second = kept["rows"]
    assert first["shape"] == [3, 4, 4, 2, 2]
    assert set(first["value"]) == set(CANDIDATES["value"]) - {"dense"}
    # Two pixels are no four, and the whole map is smaller than the kernel.
    assert set(second["value"]) == set(CANDIDATES["value"]) - {"quads", "winograd"}
    assert set(second["kernel_gradient"]) == set(CANDIDATES["kernel_gradient"]) - {"winograd"}
    assert first["value"]["plain"] == 1.0
    # Shapes are lines, so that two tables can be compared.
    assert len(path.read_text().splitlines()) == 4
    assert lowerings.in_use().name == "own" and len(lowerings.in_use().rows) == 2
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


def made_up(ratio):
    """A table of this machine's user."""
    row = {"shape": [3, 4, 4, 2, 2], "value": {"pairs": ratio}, "kernel_gradient": {}}
    lowerings.own_table().parent.mkdir(parents=True, exist_ok=True)
    lowerings.own_table().write_text(json.dumps({"rows": [row]}))


def test_a_run_says_when_it_goes_on_by_another_table(machine, blockqnn, monkeypatch):
    def search(schedule):
        flags = ("--evaluator=train", "--executor=inline", "--preset=smoke", "--run_dir=run")
        more = ("--max_layers=2", "--blocks_per_iteration=1", f"--epsilon_schedule={schedule}")
        status, out, err = blockqnn("search", *flags, *more, "--filters=4")
        assert status == 0, err
        store = Store.open_read_only(blockqnn.directory / "run" / FILE_NAME)
        with contextlib.closing(store):
            return out, store.facts()["lowerings"]

    out, begun = search("1.0:1")
    assert begun == {"name": "usual", "digest": lowerings.USUAL.digest}
    out, kept = search("1.0:2")
    assert kept == begun and "by another table" not in out
    made_up(0.5)
    monkeypatch.setattr(lowerings, "_in_use", None)
    out, kept = search("1.0:3")
    assert kept == begun
    assert "by another table here than when this run was begun (usual then, own now)" in out


@pytest.mark.parametrize("flag", ["--blocks=residual", "--profile", "--cores=1", "--bfloat16"])
def test_what_has_no_effect_on_it_is_refused(blockqnn, flag):
    status, out, err = blockqnn("bench", "--measure_lowerings", flag)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert flag.partition("=")[0] in err and "leave it out" in err


def test_a_table_that_could_not_be_kept_is_not_measured(machine, blockqnn):
    (machine / "blockqnn").write_text("in the way")
    status, out, err = blockqnn("bench", "--measure_lowerings")
    assert (status, out) == (2, "") and err.count("\n") == 1 and "cannot be written" in err


@pytest.mark.parametrize(
    "verb",
    [
        ("search", "--evaluator=train", *SMOKE),
        ("train", "residual", "--preset=train_digits", "--epochs=1", "--out_dir=run"),
    ],
    ids=["search", "train"],
)
def test_a_damaged_own_table_is_refused_before_anything_is_written(machine, blockqnn, verb):
    lowerings.own_table().parent.mkdir(parents=True)
    lowerings.own_table().write_text("{")
    status, _, err = blockqnn(*verb)
    assert status == 2 and err.count("\n") == 1
    assert "is no table of lowerings" in err and "--measure_lowerings" in err
    left = [path.name for path in blockqnn.directory.rglob("*.flags")]
    assert left == []
    # What trains nothing does not ask.
    blockqnn.search("--evaluator=dry", "--run_dir=dry", *SMOKE[1:])
    # And what mends it can be begun.
    status, _, err = blockqnn("bench", "--measure_lowerings", "--batch_size=8")
    assert status == 0, err


def test_what_is_taken_is_said_with_its_rate():
    row = Row(Shape(3, 10, 10, 10, 10), {"plain": 1.0, "pairs": 0.5}, {"plain": 1.0})
    # 2 x 10 images x 100 pixels x 10 x 10 x 9 FLOPs, in a millisecond and in two.
    text = lowering_measurements.in_words([row], [{"value": 1e-3, "kernel_gradient": 2e-3}], 10)
    assert " ".join(text.splitlines()[2].split()) == "10x10 3x3 10 to 10 2 4 pairs 1 1 plain"


def test_what_is_hopeless_is_measured_no_more(monkeypatch):
    """After two rounds; XLA's own always, for the rest is told in parts of its time."""
    costs, calls, now = {"plain": 4.0, "pairs": 2.0, "quads": 3.0}, [], [0.0]

    def jitted(name, compiler_options):
        def call():
            calls.append(name)
            now[0] += costs[name]

        return call

    monkeypatch.setattr(lowering_measurements, "compiler_options", dict)
    monkeypatch.setattr(lowering_measurements.jax, "jit", jitted)
    monkeypatch.setattr(lowering_measurements.time, "process_time", lambda: now[0])
    ratios, plain = lowering_measurements._ratios({name: name for name in costs}, (), 5)
    assert (ratios, plain) == ({"plain": 1.0, "pairs": 0.5, "quads": 0.75}, 4.0)
    # Once to compile, and then by turns.
    assert {name: calls.count(name) for name in costs} == {"plain": 6, "pairs": 6, "quads": 3}
