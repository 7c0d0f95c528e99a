"""Searches by gradient: the real command, when it stops, what it selects, and its interruptions."""

import contextlib
import re
import subprocess

import pytest

from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.spaces.registry import space_named
from blockqnn.runs.mixtures import DECISIONS, EPOCHS
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from blockqnn.searching.mixture_stops import by_eigenvalue, stop_of
from blockqnn.searching.perturbation import Decision, chosen_of, decisions_of, fixed_by
from blockqnn.trial import Status
from tests.blockqnn.searching.killed_searches import command, ended, kill_after
from tests.paths import ROOT

CELLS = space_named("nasbench201", None)
ROWS = CELLS.mixture_rows()
SMALL = (
    "--preset=smoke",
    "--space=nasbench201",
    "--layout=nasbench201",
    "--dataset=synthetic:8x8x1:3:240",
    "--evaluator=train",
    "--executor=inline",
    "--filters=2,4",
    "--repeats=1",
    "--max_flops=0",
    "--max_parameters=0",
    "--weights=mixture",
    "--supernet_epochs=4",
    "--supernet_batch_size=32",
    "--supernet_rate=0.1",
    "--alpha_rate=0.05",
    "--agent=random",
    "--mu=0",
    "--rho=0",
)
SELECTED = (*SMALL, "--supernet_epochs=2", "--selection=perturbation", "--perturbation_epochs=1")


def facts_of(run_dir):
    with contextlib.closing(Store.open_read_only(run_dir / "store.sqlite")) as store:
        return store.facts()


def test_every_epoch_gives_a_trial_and_says_what_it_found(blockqnn):
    status, out, err = blockqnn("search", *SMALL, "--run_dir=run")
    assert (status, err) == (0, "")
    assert "mixture, 4 epochs in batches of 32, momentum from 0.1 to 0.001" in out
    assert "first order: alpha learns on one half of the training images" in out
    assert re.search(
        r"[\d.]+ k parameters and 30 of alpha, [\d.]+ kB with the optimiser's state", out
    )
    assert re.search(r"maps of a batch about [\d.]+ MB, in one program [\d.]+ kB with --remat", out)
    assert re.search(
        r"epoch 1 of 4: loss [\d.]+, mixture [\d.]+ %, derived cell with its weights [\d.]+ %; "
        r"cell \d skip, \d pool, \d convolution, none first on \d of 6 edges; eigenvalue [-\d.e]+",
        out,
    )
    assert "The derived cell is that of epoch 4, trial 4." in out
    assert "MIXTURE: each accuracy is that of a derived cell with the weights of the mixture" in out
    record, facts = read_run(blockqnn.directory / "run"), facts_of(blockqnn.directory / "run")
    assert [trial.number for trial in record.trials] == [1, 2, 3, 4]
    assert record.chosen == 4 and len(record.epochs) == 4
    for trial, epoch in zip(record.trials, facts[EPOCHS], strict=True):
        assert trial.accuracies == (epoch["derived_accuracy"],)
        assert sum(epoch["tally"]["cell"].values()) <= 6
        assert set(epoch["entropy"]) == {row.name for row in ROWS}
        assert all(0 <= own <= 1.61 for own in epoch["entropy"].values())
        assert 0 <= epoch["accuracy"] <= 100 and len(epoch["alpha"]) == 6
    kept = sorted(path.name for path in (blockqnn.directory / "run" / "banks").iterdir())
    assert kept == ["mixture-0003", "mixture-0004"]
    # The same command ends at once, and every verb that reads a run does.
    again = blockqnn("search", *SMALL, "--run_dir=run")
    assert again[0] == 0 and "epoch 1 of 4" not in again[1]
    for verb in ("show", "trials", "status"):
        status, out, err = blockqnn(verb, "run")
        assert (status, err) == (0, ""), verb
    status, out, err = blockqnn("explain", "run")
    assert status == 2 and "was searched by gradient, not by an agent" in err
    status, out, err = blockqnn("show", "run#best")
    assert (status, err) == (0, "") and "trial 4" in out


def test_the_result_is_in_the_finals_whatever_its_score(blockqnn):
    finals = ("--finals=2:1", "--epochs=1")
    status, _out, err = blockqnn("search", *SMALL, *finals, "--run_dir=run")
    assert (status, err) == (0, "")
    record = read_run(blockqnn.directory / "run")
    assert record.by_reward[0].number == record.chosen == 4
    assert 4 in record.finals.plan.trials
    hashes = [trial.hash for trial in record.by_reward]
    assert len(hashes) == len(set(hashes))


def test_selection_by_perturbation_decides_edge_by_edge_and_trains_on(blockqnn):
    status, _out, err = blockqnn("search", *SELECTED, "--run_dir=run")
    assert (status, err) == (0, "")
    facts = facts_of(blockqnn.directory / "run")
    decisions = facts[DECISIONS]
    assert sorted(each["name"] for each in decisions) == [row.name for row in ROWS]
    assert len(facts[EPOCHS]) == 2 + 6
    # Alpha stays, the choices are made one after the other, and none of them is `none`.
    found = CELLS.on_edges(read_run(blockqnn.directory / "run").trials[-1].code)
    assert {f"cell/{edge}": operation for edge, operation in found.items()} == fixed_by(decisions)
    assert "none" not in found.values()
    before = facts[EPOCHS][1]["alpha"]
    last = decisions[-1]["name"]
    assert facts[EPOCHS][6]["alpha"][last] == before[last] != facts[EPOCHS][7]["alpha"][last]


def records(values, skips=0):
    return [
        {
            "eigenvalue": value,
            "tally": {"cell": {"skip": skips}},
            "alpha": {row.name: [0.0] * 5 for row in ROWS},
        }
        for value in values
    ]


def test_early_stopping_by_the_eigenvalue_returns_the_middle_of_the_window_before():
    # Measured at every second epoch: 28 epochs, 14 values, of which the last three have grown.
    values = [0.1] * 11 + [0.2, 0.2, 0.2]
    every_second = [each for value in values for each in (None, value)]
    assert by_eigenvalue(records(every_second[:-2]), 1.3) is not None
    stop = by_eigenvalue(records(every_second[:-4]), 1.3)
    assert stop is None  # The mean is 0.12, 1.2 times what it was.
    stop = by_eigenvalue(records(every_second[:-2]), 1.3)
    # Values 9 to 13 against 5 to 9, whose middle is value 7, of epoch 14.
    assert stop.epoch == 14 and "more than 1.3 times" in stop.reason
    assert by_eigenvalue(records([*every_second[:-2], None]), 1.3) is None
    # The middle would lie before epoch 10.
    assert by_eigenvalue(records([0.1] * 6 + [0.9] * 5), 1.3) is None
    assert by_eigenvalue(records([-0.1] * 15 + [0.9] * 4), 1.3) is None


def test_early_stopping_by_skips_and_by_edges_that_do_not_change():
    assert stop_of(MixtureSettings(stop_skips=2), records([0.1] * 3, skips=1), ROWS) is None
    stop = stop_of(MixtureSettings(stop_skips=2), records([0.1] * 3, skips=2), ROWS)
    assert stop.epoch == 3 and "2 skip connections" in stop.reason
    unchanged = MixtureSettings(stop_unchanged=3)
    assert stop_of(unchanged, records([0.1] * 3), ROWS) is None
    assert stop_of(unchanged, records([0.1] * 4), ROWS).epoch == 4
    changed = records([0.1] * 4)
    changed[2]["alpha"]["cell/2<-1"] = [9.0, 0.0, 0.0, 1.0, 0.0]
    assert stop_of(unchanged, changed, ROWS) is None
    # That `none` is ahead changes nothing.
    changed[2]["alpha"]["cell/2<-1"] = [9.0, 1.0, 0.0, 0.0, 0.0]
    assert stop_of(unchanged, changed, ROWS) is not None
    assert stop_of(MixtureSettings(), records([9.0] * 40, skips=6), ROWS) is None


def test_a_search_that_is_stopped_says_why_and_what_came_of_it(blockqnn):
    flags = (*SMALL, "--stop_unchanged=1", "--alpha_rate=0.00001")
    status, out, err = blockqnn("search", *flags, "--run_dir=run")
    assert (status, err) == (0, "")
    assert "Stopped after epoch 2: no edge's strongest operation has changed for 1 epochs" in out
    assert "The derived cell is that of epoch 2, trial 2." in out


def test_a_loss_that_is_no_number_ends_the_search_with_a_sentence(blockqnn):
    given = ("--supernet_rate=1e30", "--supernet_gradient_norm=0", "--run_dir=run")
    status, _, err = blockqnn("search", *SMALL, *given)
    assert status == 2 and err.count("\n") == 1
    assert re.search(
        r"Epoch 1 of the mixture failed: The loss of the mixture is (nan|inf), first in step \d of "
        r"the epoch; lower --supernet_rate\.",
        err,
    )
    assert not list((blockqnn.directory / "run" / "banks").glob("mixture*"))


def test_a_mixture_in_bfloat16(blockqnn):
    flags = (*SMALL, "--supernet_epochs=1", "--bfloat16", "--run_dir=run")
    assert blockqnn("search", *flags)[0] == 0
    (epoch,) = facts_of(blockqnn.directory / "run")[EPOCHS]
    assert 0 < epoch["loss"] < 2 and epoch["eigenvalue"] is not None


def test_decisions_are_all_edges_then_all_nodes_with_too_many():
    darts = space_named("darts", None)
    found = decisions_of(darts.mixture_rows(4), darts.kept_edges, 0)
    edges, nodes = found[:28], found[28:]
    assert {each.name for each in edges} == {r.name for r in darts.mixture_rows()}
    assert sorted(each.name for each in nodes) == [
        f"{cell}/{node}" for cell in ("normal", "reduction") for node in (3, 4, 5)
    ]
    assert {len(each.choices) for each in nodes} == {3, 4, 5}
    assert [each.name for each in found] != [
        each.name for each in decisions_of(darts.mixture_rows(), 2, 1)
    ]
    assert len(decisions_of(ROWS, CELLS.kept_edges, 0)) == 6


def test_what_costs_most_to_remove_is_kept():
    edge = Decision("cell/1<-0", ("none", "a", "b", "c"), 1)
    assert chosen_of(edge, [None, 60, 40, 40]) == "b"
    # What a mixture knows by heart it knows without any of them, and still `none` is no choice.
    assert chosen_of(edge, [None, 100, 100, 100]) == "a"
    node = Decision("normal/4", ("<-0", "<-1", "<-2", "<-3"), 2)
    assert chosen_of(node, [50, 70, 40, 60]) == "<-0,<-2"


def test_a_cell_of_nothing_but_none_is_infeasible(blockqnn):
    # A large decay and a first alpha of one kind leave no edge anything: all equal, none is first.
    flags = (*SMALL, "--supernet_epochs=1", "--frozen_epochs=1", "--alpha_deviation=0")
    status, out, err = blockqnn("search", *flags, "--run_dir=run")
    assert status == 1 and err == ""
    (trial,) = read_run(blockqnn.directory / "run").trials
    assert trial.status is Status.INFEASIBLE and trial.reason == "no operation"
    assert "WARNING: it has no convolution" in out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--space=nsc", "--layout=cifar"), "--weights=mixture does not go with --space=nsc"),
        (("--space=nasnet", "--layout=cells"), "only under --cell_rules=enas_search"),
        (("--evaluator=dry",), "does not go with --evaluator=dry"),
        (("--match=parameters:9000",), "in a mixture all have the same"),
        (("--async",), "do not go with it"),
        (("--max_blocks=3",), "do not go with it"),
        (("--hessian=exact", "--execution=layers"), "--execution=whole"),
        (("--rematerialise", "--execution=layers"), "is about --execution=whole"),
        (("--stop_eigenvalue=1.3", "--eigenvalue_every=0"), "needs eigenvalues"),
        (("--partial_channels=3",), "One in 3 channels cannot be mixed of 2,4 filters"),
        (("--paths=fair",), "--paths belongs to shared; this search's weights is mixture"),
        (("--supernet_batch_size=150",), "each half of all, and there are 201 to train on"),
    ],
)
def test_what_does_not_go_with_a_mixture_is_refused_before_anything_begins(blockqnn, flags, words):
    status, _out, err = blockqnn("search", *SMALL, *flags, "--run_dir=run")
    assert status == 2 and words in err and err.count("\n") == 1, err
    assert not (blockqnn.directory / "run").exists()


def what_came_of(run_dir):
    """All that was found, but for how long it took."""
    facts = facts_of(run_dir)
    found = [{k: v for k, v in each.items() if k != "seconds"} for each in facts[EPOCHS]]
    return found, facts.get(DECISIONS), [trial.code for trial in read_run(run_dir).trials]


def test_a_killed_mixture_goes_on_as_one_that_was_never_killed(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL}
    subprocess.run(command(whole, SELECTED), check=True, **quiet)
    wanted = what_came_of(whole)
    for target in (1, 2, 5):
        kill_after(killed, SELECTED, EPOCHS, target)
    assert 5 <= ended(killed, EPOCHS) < 8
    subprocess.run(command(killed, SELECTED), check=True, **quiet)
    assert what_came_of(killed) == wanted
