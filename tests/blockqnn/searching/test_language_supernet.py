"""Supernets of recurrent cells by the real command: killed, and left alone."""

import re
import subprocess

import pytest

from blockqnn.data.text_source import text_parts
from blockqnn.flags.search import parse as parse_search
from blockqnn.runs.mixtures import EPOCHS as MIXED_EPOCHS
from blockqnn.runs.run_record import read_run
from blockqnn.runs.supernet_record import EPOCHS
from blockqnn.searching.heading import search_heading
from blockqnn.searching.supernet_steps import EpochSize
from tests.blockqnn.searching.killed_searches import command, ended, kill_after
from tests.blockqnn.searching.test_mixture import what_came_of as what_came_of_mixture
from tests.blockqnn.searching.test_supernet import facts_of, what_came_of
from tests.paths import ROOT

SMALL = (
    "--preset=rnn_text",
    "--filters=6",
    "--vocabulary=60",
    "--train_examples=900",
    "--validation_examples=400",
    "--bptt_steps=8",
    "--supernet_batch_size=4",
    "--supernet_rate=2",
    "--executor=inline",
    "--finals=off",
)
SHARED = (
    *SMALL,
    "--space=enas_cell",
    "--max_layers=3",
    "--weights=shared",
    "--supernet_epochs=4",
    "--paths=agent",
    "--agent=reinforce",
    "--agent_updates=2",
    "--agent_batch=2",
    "--reinforce_units=4",
    "--reinforce_children=2",
    "--epsilon_schedule=1.0:1",
    "--blocks_per_iteration=4",
)
MIXED = (
    *SMALL,
    "--space=darts_cell",
    "--max_layers=1",
    "--weights=mixture",
    "--supernet_epochs=2",
    "--agent=random",
    "--eigenvalue_every=0",
)


def test_a_killed_bank_of_recurrent_cells_goes_on_as_one_that_was_never_killed(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL}
    said = subprocess.run(
        command(whole, SHARED), check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert "Supernet:  4 epochs in batches of 4, the agent's paths, descent at 2" in said
    assert "Scores are by perplexity, each cell from states of zeros; the test text is" in said
    assert "scored by the supernet's weights on validation words" in said
    # 225 words a sequence are 27 windows of 8 words, of 4 sequences each, in 4 epochs.
    assert "Trained on 3,456 words in" in said
    assert re.search(r"\nrank +trial +reward +perplexity ", said)
    wanted = what_came_of(whole)
    assert len(wanted[0]) == 4 and len(wanted[1]) == 4
    kill_after(killed, SHARED, EPOCHS, 2)
    assert 2 <= ended(killed, EPOCHS) < 4
    subprocess.run(command(killed, SHARED), check=True, **quiet)
    assert what_came_of(killed) == wanted
    for epoch in facts_of(whole)[EPOCHS]:
        # The reward is 80 / perplexity of a window, and there are 60 words.
        assert 80 / 200 < epoch["reward"] < 80


def test_a_mixture_of_recurrent_cells_derives_one_each_epoch(blockqnn):
    status, out, err = blockqnn("search", *MIXED, "--finals=1:1", "--run_dir=run")
    assert (status, err) == (0, "")
    assert re.search(r"1 of 1: trial 2, perplexity [\d.]+ early, [\d.]+ now, ", out)
    assert "first order: alpha learns on the validation text, weights on the training text" in out
    assert re.search(r"\d parameters and 5 of alpha, [\d.]+ kB with the optimiser's state\.", out)
    found = r"epoch 2 of 2: loss [\d.]+, perplexity of the mixture [\d.]+, derived cell with its "
    assert re.search(found + r"weights [\d.]+; cell \d tanh, \d relu, \d sigmoid, \d identity", out)
    assert "The derived cell is that of epoch 2, trial 2." in out
    record = read_run(blockqnn.directory / "run")
    assert len(record.trials) == 2
    for trial, epoch in zip(record.trials, record.epochs, strict=True):
        assert trial.accuracies[-1] == epoch["derived_accuracy"]
        assert sum(epoch["tally"]["cell"].values()) == 1
        assert epoch["rate"] == 2
        # That of the search's size, which is not the usual one.
        assert list(epoch["alpha"]) == ["cell/1<-0"]
    assert len(facts_of(blockqnn.directory / "run")[MIXED_EPOCHS]) == 2
    for verb in (["report", "run", "--out=run.html"], ["show", "run"], ["status", "run"]):
        assert blockqnn(*verb)[0] == 0, verb
    page = (blockqnn.directory / "run.html").read_text()
    assert "the mixture has perplexity " in page


def test_a_killed_mixture_of_recurrent_cells_goes_on_as_one_that_was_never_killed(tmp_path):
    # Alpha, weights, momentum of Adam and where the text is come back from what is on disk.
    flags = [each for each in MIXED if not each.startswith("--supernet_epochs")]
    flags += ["--supernet_epochs=4", "--vocabulary=30"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL}
    subprocess.run(command(whole, flags), check=True, **quiet)
    wanted = what_came_of_mixture(whole)
    assert len(wanted[0]) == 4
    kill_after(killed, flags, MIXED_EPOCHS, 2)
    assert 2 <= ended(killed, MIXED_EPOCHS) < 4
    subprocess.run(command(killed, flags), check=True, **quiet)
    assert what_came_of_mixture(killed) == wanted


def test_an_epoch_is_counted_in_windows():
    settings, _ = parse_search([*SHARED, "--run_dir=run"])
    train, validation = (len(text) for text in text_parts(settings.data))
    assert (train, validation) == (900, 400)
    size = EpochSize.of(settings)
    assert (size.steps, size.examples) == ((900 // 4 - 8) // 8, 4 * 8)
    # A hundred words a sequence are read in thirteen windows; the last, of three words, would
    # say nothing of a cell.
    assert size.scored_batches == 12


def test_a_heading_says_on_what_alpha_learns():
    for order, words in {
        "second_order": "alpha learns on the validation text where weights will be after a step",
        "joint": "alpha and weights learn at once on the training text (a control)",
    }.items():
        settings, run = parse_search([*MIXED, f"--bilevel={order}", "--run_dir=run"])
        assert words in search_heading(settings, run)


OWN = tuple(flag for flag in SMALL if not flag.startswith("--supernet"))


@pytest.mark.parametrize("flags", [OWN, SHARED, MIXED], ids=["own", "shared", "mixture"])
def test_a_text_that_is_too_short_leaves_no_directory(blockqnn, flags):
    few = ("--train_examples=60", "--executor=local")
    status, _, err = blockqnn("search", *flags, *few, "--run_dir=run")
    assert status == 2 and err.count("\n") == 1
    assert "The training text has 60 words; " in err and "need at least " in err
    assert not (blockqnn.directory / "run").exists()
