"""`bench --measure_lowerings`: a table of this machine, and who takes it."""

import json

import pytest

from blockqnn.bench import lowering_measurements
from blockqnn.networks import lowerings
from blockqnn.networks.lowerings import CANDIDATES, Row, Shape
from blockqnn.networks.processor import kind_of_processor, processor_name
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
    # The rest of the tests shall keep its cores.
    monkeypatch.setattr(lowering_measurements.os, "sched_setaffinity", lambda *_: None)
    lowerings._load.cache_clear()
    yield tmp_path
    lowerings._load.cache_clear()


def test_the_table_is_kept_and_taken_by_what_follows(machine, blockqnn):
    status, out, err = blockqnn("bench", "--measure_lowerings", "--batch_size=8")
    assert status == 0
    assert err.startswith(f"Processor:  {processor_name()} ({kind_of_processor()}), one core\n")
    assert "Shapes:     2, in batches of 8" in err and "\nshape 1/2  about " in err
    path = lowerings.own_table()
    assert out.endswith(f"Kept in {path}, which --lowerings=auto takes.\n")
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
    assert set(second["value"]) == set(CANDIDATES["value"]) - {"quads"}
    assert set(second["kernel_gradient"]) == set(CANDIDATES["kernel_gradient"])
    assert first["value"]["plain"] == 1.0
    assert len(lowerings.table_named("auto").rows) == 2
    # Shapes are lines, so that two tables can be compared.
    assert len(path.read_text().splitlines()) == 4
    blockqnn.search(*SMOKE)
    assert "--lowerings=own" in (blockqnn.directory / "run" / "search.flags").read_text()


def test_a_run_goes_on_by_the_table_that_it_was_begun_with(machine, blockqnn, monkeypatch):
    monkeypatch.setattr(lowerings, "kind_of_processor", lambda: "strange")
    blockqnn.search(*SMOKE)
    flags = blockqnn.directory / "run" / "search.flags"
    assert "--lowerings=usual" in flags.read_text()
    # On a machine of a kind that was measured.
    monkeypatch.setattr(lowerings, "resolved", lambda name: "plain" if name == "auto" else name)
    blockqnn.search(*SMOKE)
    assert "--lowerings=usual" in flags.read_text()


def test_a_damaged_own_table_is_refused_before_anything_is_written(machine, blockqnn):
    lowerings.own_table().parent.mkdir(parents=True)
    lowerings.own_table().write_text("{")
    status, _, err = blockqnn("search", "--evaluator=dry", *SMOKE)
    assert status == 2 and err.count("\n") == 1
    assert "is no table of lowerings" in err and "--measure_lowerings" in err
    assert not (blockqnn.directory / "run").exists()


def test_what_is_taken_is_said_with_its_rate():
    row = Row(Shape(3, 10, 10, 10, 10), {"plain": 1.0, "pairs": 0.5}, {"plain": 1.0})
    # 2 x 10 images x 100 pixels x 10 x 10 x 9 FLOPs, in a millisecond and in two.
    text = lowering_measurements.in_words([row], [{"value": 1e-3, "kernel_gradient": 2e-3}], 10)
    assert " ".join(text.splitlines()[2].split()) == "10x10 3x3 10 to 10 2 4 pairs 1 1 plain"
