"""Few-shot by gradient: mixtures that are split along edges, by the real command."""

import json
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.registry import space_named
from blockqnn.report.mixture import mixture
from blockqnn.runs.mixtures import CHOSEN, EPOCHS, SPLITS
from blockqnn.runs.run_record import read_run
from blockqnn.searching.mixture_parts import epochs_before, left_to, mixture_bank, results_of
from blockqnn.searching.supernet_paths import parts_of
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank
from blockqnn.trial import Status
from tests.blockqnn.reading_events import read, scalars
from tests.blockqnn.searching.killed_searches import command, ended
from tests.blockqnn.searching.test_mixture import CELLS, SMALL, facts_of, what_came_of
from tests.paths import ROOT

SPLIT = (
    *SMALL,
    "--supernet_epochs=2",
    "--split=1<-0",
    "--split_epochs=2",
    "--control",
    "--eigenvalue_every=0",
)
OPERATIONS = CELLS.edges["1<-0"]
NAMES = ["whole"] * 2 + [f"1from0-{each}" for each in OPERATIONS for _ in "ab"] + ["control"] * 10
MIXED = SupernetSettings(mixture=MixtureSettings())


def changed_on_the_split_edge(banks, name):
    """By key whether a part's arrays of the edge are others than its parent's."""
    like = Bank(compiled_for(MIXED), 0)
    whole, own = (read_bank(banks / each, like) for each in ("mixture-0002", name))
    return {
        key: any(
            not np.array_equal(array, own.entries[key].parameters[place])
            for place, array in entry.parameters.items()
        )
        for key, entry in whole.entries.items()
        if "/cell1/edge1:" in key and entry.parameters
    }


def test_a_mixture_is_split_trained_on_derived_from_and_told_of_everywhere(blockqnn):
    status, out, err = blockqnn("search", *SPLIT, "--tensorboard", "--run_dir=run")
    assert (status, err) == (0, "")
    run_dir = blockqnn.directory / "run"
    record, facts = read_run(run_dir), facts_of(run_dir)
    assert [epoch["part"] for epoch in facts[EPOCHS]] == NAMES
    assert [trial.number for trial in record.trials] == list(range(1, 23))
    # Each part has its operation alone on the edge, and its designs have it too.
    for trial, epoch in zip(record.trials, facts[EPOCHS], strict=True):
        part = epoch["part"].partition("-")[2]
        share = dict(zip(OPERATIONS, shares_of(epoch["alpha"])["cell/1<-0"], strict=True))
        if part:
            assert share == {each: float(each == part) for each in OPERATIONS}
            assert CELLS.on_edges(trial.code)["1<-0"] == part
            assert epoch["entropy"]["cell/1<-0"] == 0
        else:
            assert min(share.values()) > 0
    # Alpha of other edges goes on from the parent's, the rates fall anew.
    before, after = facts[EPOCHS][1], facts[EPOCHS][2]
    moved = np.subtract(after["alpha"]["cell/3<-2"], before["alpha"]["cell/3<-2"])
    assert 0 < np.abs(moved).max() <= 3 * 0.05 * 1.01
    assert [epoch["rate"] for epoch in facts[EPOCHS][:4]] == [0.1, pytest.approx(0.0505)] * 2
    assert changed_on_the_split_edge(run_dir / "banks", "mixture-1from0-nor_conv_3x3-0002") == {
        key: " 3/1 " in key
        for key in changed_on_the_split_edge(run_dir / "banks", "mixture-1from0-none-0002")
    }

    # The part whose mixture is best is derived from; the control is no part.
    last = {name: NAMES.index(name) + 2 for name in dict.fromkeys(NAMES[2:12])}
    accuracy = {name: facts[EPOCHS][number - 1]["accuracy"] for name, number in last.items()}
    empty = {name: facts[EPOCHS][number - 1]["empty"] for name, number in last.items()}
    order = sorted(last, key=lambda name: (bool(empty[name]), -accuracy[name]))
    assert facts[CHOSEN]["results"] == [last[name] for name in order] == list(record.results)
    assert record.chosen == last[order[0]] == record.by_reward[0].number
    firsts, seen = [], set()
    for number in record.results:
        design = record.trials[number - 1].hash
        trained = record.trials[number - 1].status is Status.COMPLETED
        firsts += [number] if trained and design not in seen else []
        seen.add(design)
    assert [trial.number for trial in record.by_reward[: len(firsts)]] == firsts

    assert "then 5 parts along 1<-0, each 2 epochs more, and the control" in out
    assert "The design is derived from the part whose mixture is best" in out
    assert re.search(r"1from0-skip_connect: epoch 2 of 2: loss [\d.]+, mixture [\d.]+ %", out)
    assert f"The derived cell is that of {order[0]}, whose mixture is the best" in out
    assert re.search(r"The control, one mixture for as many epochs as all parts: [\d.]+ %", out)
    assert "The derived cell, those of other parts by their mixtures, then others" in out
    found = mixture(record)
    json.dumps(found, allow_nan=False)
    assert [part["name"] for part in found["parts"]] == ["", *list(dict.fromkeys(NAMES))[1:]]
    assert found["parts"][1]["epochs"] == [3, 4] and len(found["parts"][-1]["epochs"]) == 10
    assert found["sentences"][0].startswith(f"The cell of {order[0]} is the result")
    assert blockqnn("report", "run")[0] == 0
    events = scalars(read(run_dir / "tensorboard"))
    assert [step for step, _ in events["mixture/1from0-none/accuracy"]] == [3, 4]
    assert [step for step, _ in events["mixture/accuracy"]] == [1, 2]
    status, out, _ = blockqnn("status", "run")
    assert status == 0 and "supernet: epoch 10 of 10 of control, 22 of 22 in all" in out
    assert "each of its parts have come to" in blockqnn("explain", "run")[2]

    # Killed in a part, and gone on with here.
    killed, quiet = blockqnn.directory / "killed", {"cwd": ROOT, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(command(killed, SPLIT), **quiet) as process:
        while process.poll() is None and ended(killed, EPOCHS) < 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert 5 <= ended(killed, EPOCHS) < 22
    assert blockqnn("search", *SPLIT, "--run_dir=killed")[0] == 0
    assert what_came_of(killed) == what_came_of(run_dir)
    assert facts_of(killed)[CHOSEN] == facts[CHOSEN]


def test_gradients_say_where_and_into_which_groups(blockqnn):
    flags = (*SMALL, "--supernet_epochs=1", "--split=auto", "--split_epochs=1", "--split_levels=2")
    flags = (*flags, "--split_batches=1", "--eigenvalue_every=0")
    status, out, err = blockqnn("search", *flags, "--run_dir=run")
    assert (status, err) == (0, "")
    assert "then 6 parts along edges found by gradients, 2 times one after the other" in out
    record, facts = read_run(blockqnn.directory / "run"), facts_of(blockqnn.directory / "run")
    splits, parts = facts[SPLITS], [epoch["part"] for epoch in facts[EPOCHS]]
    assert len(parts) == len(set(parts)) == 7 and list(splits) == parts[:3]
    for name, cut in splits.items():
        first, second = cut["groups"]
        assert sorted(first + second) == sorted(OPERATIONS) and {len(first), len(second)} == {2, 3}
        # The largest cut there is, of all ways and all edges that are not split yet.
        assert f"{cut['edge'].replace('<-', 'from')}-" not in name
        row = f"cell/{cut['edge']}"
        place = {each: number for number, each in enumerate(OPERATIONS)}
        total = sum(cut["distances"][row][place[a]][place[b]] for a in first for b in second)
        assert cut["between"] == pytest.approx(total)
        assert out.count(f"By gradients {name} was split along {cut['edge']} into") == 1
    # Only leaves are derived from, and on both edges they have what is left to them.
    assert sorted(record.results) == [4, 5, 6, 7]
    on = CELLS.on_edges(record.trials[record.chosen - 1].code)
    above = next(name for name in parts[1:3] if parts[record.chosen - 1].startswith(name))
    for cut in (splits["whole"], splits[above]):
        (group,) = (own for own in cut["groups"] if on[cut["edge"]] in own)
        words = f"{cut['edge'].replace('<-', 'from')}-{'+'.join(group)}"
        assert words in parts[record.chosen - 1]
    assert record.cuts["whole"]["edge"] == splits["whole"]["edge"]


def test_parts_of_darts_are_split_along_rows_without_none():
    darts = space_named("darts")
    own = SupernetSettings(
        epochs=4, split=("normal/2<-0", "reduction/3<-1"), split_epochs=3, split_levels=2,
        mixture=MixtureSettings(),
    )  # fmt: skip
    parts = parts_of(own, darts)
    assert len(parts) == 1 + 7 + 49
    assert parts[-1].name == "normal.2from0-dil5_reduction.3from1-dil5"
    assert left_to(darts, parts[-1]) == {"normal/2<-0": ("dil5",), "reduction/3<-1": ("dil5",)}
    assert [epochs_before(part) for part in (parts[0], parts[1], parts[-1])] == [0, 4, 7]
    assert mixture_bank(parts[0], 4) == "mixture-0004"
    assert mixture_bank(parts[1], 3) == "mixture-normal.2from0-max3-0003"


def test_of_equal_parts_the_first_counts_those_without_a_network_are_last_and_control_is_none():
    own = SupernetSettings(epochs=1, split=("1<-0",), split_epochs=1, control=True)
    parts = parts_of(own, CELLS)
    accuracies = [99.0, 50.0, 60.0, 60.0, 10.0, 20.0, 99.0]
    records = [
        {"part": part.name, "accuracy": accuracy, "empty": "no operation" if accuracy == 20 else ""}
        for part, accuracy in zip(parts, accuracies, strict=True)
    ]
    found = results_of(parts, records)
    assert [(each.trial, each.accuracy) for each in found] == [
        (3, 60.0), (4, 60.0), (2, 50.0), (5, 10.0), (6, 20.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--split=9<-9", "--split_epochs=1"), "--split names the edge '9<-9'; allowed: 1<-0, 2<-"),
        (("--split=1<-0",), "--split and --split_epochs go together"),
        (("--split=1<-0", "--split_epochs=1", "--stop_skips=2"), "--stop_skips does not go with"),
        (
            ("--split=1<-0", "--split_epochs=1", "--selection=perturbation"),
            "--selection=perturbation does not go with it",
        ),
        (("--control",), "--control is the control of --split; there is none"),
    ],
)
def test_what_cannot_be_split_is_refused_in_a_sentence(blockqnn, flags, words):
    status, _, err = blockqnn("search", *SMALL, *flags, "--run_dir=run")
    assert status == 2 and words in err and err.count("\n") == 1, err
