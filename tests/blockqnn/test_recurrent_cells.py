"""A search for recurrent cells from its command line to an exported model, and what is refused."""

import json
import re

import pytest

from blockqnn.full_training.directory import opened

SMALL = (
    "--preset=rnn_text",
    "--vocabulary=60",
    "--filters=6",
    "--train_examples=3000",
    "--validation_examples=400",
    "--batch_size=8",
    "--bptt_steps=10",
    "--epochs=1",
    "--executor=inline",
    "--run_dir=run",
    "--compilation_cache=off",
)


@pytest.fixture
def run(blockqnn):
    """A search with three real children and finals of one."""
    status, out, err = blockqnn(
        "search", *SMALL, "--max_layers=2", "--epsilon_schedule=1.0:1", "--blocks_per_iteration=3",
        "--finals=1:2",
    )  # fmt: skip
    assert (status, err) == (0, "")
    return out


def test_a_search_trains_language_models_and_everything_follows_from_it(blockqnn, run):
    # How many depends on the version of Python, whose language reference is the text.
    assert re.search(r"vocabulary of 60; \d\d,\d{3} words to train on", run)
    assert "language models with 1 recurrent cell of 6 numbers; 1 epoch in batches of 8" in run
    assert "perplexity" in run and "accuracy" not in run
    rows = [row for row in run.splitlines() if " darts_cell " in row]
    assert rows
    _, out, _ = blockqnn("show", "run#best", "--format=json")
    trial = json.loads(out)["trial"]
    perplexity = 100 / trial["accuracy"]
    assert 1 < perplexity < 60
    assert trial["reward"] == pytest.approx(100 * 80 / perplexity)
    _, out, _ = blockqnn("show", "run#best")
    assert f"perplexity   {perplexity:.2f}" in out and "80 / perplexity, times 100" in out
    assert "language model, 1 cell of 6 numbers, tied to the embedding, vocabulary of 60" in out
    for words in (["trials", "run"], ["show", "run"], ["status", "run"], ["explain", "run"]):
        status, out, err = blockqnn(*words)
        assert (status, err) == (0, "") and "accuracy" not in out
    status, out, err = blockqnn("report", "run", "--out=report.html")
    assert (status, err) == (0, "")
    assert "80 / perplexity" in (blockqnn.directory / "report.html").read_text()
    train = ("train", "run", "--epochs=2", "--out_dir=trained", "--batch_size=8", "--bptt_steps=10")
    train += ("--train_examples=3000", "--compilation_cache=off")
    status, out, err = blockqnn(*train, "--max_seconds=0.001")
    assert (status, err) == (130, "") and "--max_seconds" in out
    status, out, err = blockqnn(*train)
    assert (status, err) == (0, "") and "Continuing after 1 epoch." in out
    result = json.loads((blockqnn.directory / "trained" / "result.json").read_text())
    metrics = (blockqnn.directory / "trained" / "metrics.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in metrics]
    # Those before it was cut off count as well.
    assert min(seconds) > 0 and result["seconds"] == pytest.approx(sum(seconds))
    for another in ("--seed=5", "--epochs=3"):
        # It has ended, and what it found is nothing that this one found.
        status, out, err = blockqnn(*train, another)
        assert status == 2 and "holds a training with another" in err
    status, out, err = blockqnn("evaluate", "trained", "--batch_sizes=", "--format=json")
    assert (status, err) == (0, "")
    assert json.loads(out)["perplexity"] == pytest.approx(result["test"]["perplexity"], rel=1e-4)
    # A training that was cut off ends where one ends that was not.
    whole = [word.replace("=trained", "=whole") for word in train]
    status, out, err = blockqnn(*whole, "--train_examples=100")
    assert status == 2 and "The training text has 100 words" in err
    assert not (blockqnn.directory / "whole").exists(), "what is refused leaves nothing"
    with opened(blockqnn.directory / "whole"):
        status, out, err = blockqnn(*whole)
        assert status == 2 and "Another process trains in" in err
    assert blockqnn(*whole)[0] == 0
    other = json.loads((blockqnn.directory / "whole" / "result.json").read_text())
    assert other["validation"] == result["validation"]
    assert other["test"] == result["test"]
    status, out, err = blockqnn("export", "trained", "--to=out")
    assert (status, err) == (0, "") and "Trained to a validation perplexity of" in out
    assert len((blockqnn.directory / "out" / "vocabulary.txt").read_text().splitlines()) == 60


def test_what_does_not_go_together_is_refused_in_a_sentence_and_leaves_nothing(blockqnn):
    for words, message in (
        (["--dataset=digits"], "--space=darts_cell reads words, and --dataset=digits is images;"),
        (["--dataset=text:nowhere"], "there is no nowhere; needed is a file, or a folder with ptb"),
        (["--node_rules=unread_nodes"], "There are no rules 'unread_nodes'"),
        (["--train_examples=100"], "The training text has 100 words; 8 sequences of windows of 10"),
        (["--input_dropout=1"], "--input_dropout"),
    ):
        given = [word for word in SMALL if word.partition("=")[0] != words[0].partition("=")[0]]
        status, _, err = blockqnn("search", *given, *words)
        assert status == 2, words
        assert message in err and err.count("\n") == 1, err
        # No run has begun there, so that another one may.
        assert blockqnn("show", "run")[0] == 2


def test_blocks_do_not_read_a_text(blockqnn):
    status, _, err = blockqnn("search", "--preset=smoke", "--dataset=text", "--run_dir=run")
    assert status == 2
    assert "--space=nsc reads images, and --dataset=text is a text; allowed for it: --space=" in err


def test_asgd_is_for_language_models(blockqnn):
    status, _, err = blockqnn("search", "--preset=smoke", "--optimiser=asgd", "--run_dir=run")
    assert status == 2 and "--optimiser=asgd is for language models" in err


def test_a_text_without_a_preset_has_that_of_recurrent_cells(blockqnn):
    status, out, err = blockqnn(
        "search", "--dataset=text", "--evaluator=dry", "--executor=inline", "--finals=off"
    )
    assert (status, err) == (0, "")
    assert "the preset is rnn_text (--preset=rnn_text)" in out
