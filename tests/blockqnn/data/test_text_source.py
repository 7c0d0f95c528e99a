"""Texts as data: how they are cut, what is known of them, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.data.datasets import contents, describe, digest, source_of
from blockqnn.data.text import END, Vocabulary, cut_up, vocabulary_of
from blockqnn.data.text_source import TextSource, text_parts
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

LINE = "the cat sat on the mat . " * 20


def settings(path, **more):
    return DataSettings(f"text:{path}", **more)


@pytest.fixture
def treebank(tmp_path):
    """A folder as Penn Treebank has it: words, numbers as N, rare words as <unk>."""
    (tmp_path / "ptb.train.txt").write_text(f" {LINE}\n the N <unk> sat \n")
    (tmp_path / "ptb.valid.txt").write_text(" the dog sat \n")
    (tmp_path / "ptb.test.txt").write_text(" the cat \n on \n")
    return tmp_path


def words_of(source, split):
    return [source.text.vocabulary.words[n] for n in source.text.parts[split]]


def test_penn_treebank_is_read_as_it_is_cut(treebank):
    source = TextSource(settings(treebank))
    assert source.text.unit == "words"
    assert words_of(source, "validation") == ["the", "<unk>", "sat", END]
    assert words_of(source, "test") == ["the", "cat", END, "on", END]
    vocabulary = source.text.vocabulary.words
    assert vocabulary[0] == "the" and set(vocabulary[-2:]) == {"N", "<unk>"}
    assert source.counts() == {"train": 146, "validation": 4, "test": 5}
    assert describe(settings(treebank)).of_words
    assert describe(settings(treebank)).classes == len(vocabulary) == 9


def test_wikitext_has_other_names_and_blank_lines_are_lines(tmp_path):
    for split in ("train", "valid", "test"):
        text = f" \n = Title = \n {LINE}\n" if split == "train" else " \n Title \n"
        (tmp_path / f"wiki.{split}.tokens").write_text(text)
    source = TextSource(settings(tmp_path))
    assert words_of(source, "test") == [END, "Title", END]
    assert words_of(source, "train")[:5] == [END, "=", "Title", "=", END]


def test_one_file_is_cut_into_eight_one_and_one_tenth(tmp_path):
    path = tmp_path / "story.txt"
    path.write_text("\n".join(f"Line {n}, it's here!" for n in range(100)))
    source = TextSource(settings(path))
    assert source.text.unit == "tokens"
    assert words_of(source, "train")[:9] == ["line", "0", ",", "it", "'", "s", "here", "!", END]
    counts = source.counts()
    assert sum(counts.values()) == 900
    assert (counts["train"], counts["validation"], counts["test"]) == (720, 90, 90)


def test_characters_are_read_to_the_last_one(tmp_path):
    path = tmp_path / "letters.txt"
    path.write_text("ab\r\n" * 100, newline="")
    source = TextSource(settings(path, text_by="characters"))
    assert source.text.vocabulary.words == ("\n", "a", "b", "<unk>")
    assert sum(source.counts().values()) == 300


def test_a_limited_vocabulary_has_the_most_frequent_words_and_the_unknown_one(treebank):
    source = TextSource(settings(treebank, vocabulary=4))
    assert source.text.vocabulary.words == ("the", "sat", ".", "<unk>")
    assert source.text.unknown["train"] > 0.4
    assert "% in train" in contents(settings(treebank, vocabulary=4)).in_words()


def test_without_an_unknown_word_new_words_are_refused(treebank):
    with pytest.raises(UserError, match=r"The validation text has 'dog', .* \(--unknown_word\)"):
        TextSource(settings(treebank, unknown_word=""))


def test_the_digest_is_that_of_the_words_wherever_they_lie(treebank, tmp_path):
    first = digest(settings(treebank))
    other = tmp_path / "moved"
    other.mkdir()
    for file in treebank.glob("ptb.*"):
        (other / file.name).write_text(file.read_text())
    assert digest(settings(other)) == first
    assert digest(settings(other, vocabulary=4)) != first
    text = (other / "ptb.valid.txt").read_text()
    (other / "ptb.valid.txt").write_text(text.replace("dog", "cat"))
    TextSource.__init__.__globals__["_text"].cache_clear()
    assert digest(settings(other)) != first


def test_a_search_sees_the_training_and_the_validation_text(treebank):
    train, validation = text_parts(settings(treebank, train_examples=50, validation_examples=3))
    assert (len(train), len(validation)) == (50, 3)
    held = text_parts(settings(treebank, own_validation=False))
    assert (len(held[0]), len(held[1])) == (132, 14)


def test_the_text_that_comes_with_python_is_real_and_has_each_paragraph_once():
    source = TextSource(DataSettings("text"))
    counts = source.counts()
    assert counts["train"] > 50_000 and counts["validation"] > 5_000
    assert source.text.unit == "tokens"
    assert "Python Software Foundation License" in contents(DataSettings("text")).in_words()
    # Topics repeat one another; a line that is long stands in the text once.
    words = words_of(source, "train") + words_of(source, "validation") + words_of(source, "test")
    lines = [line for line in " ".join(words).split(END) if len(line.split()) > 10]
    assert len(lines) - len(set(lines)) < len(lines) / 50


def test_a_text_has_no_images():
    with pytest.raises(UserError, match="is a text, which has no images"):
        source_of(DataSettings("text")).open("train")


REFUSED = {
    "missing": (
        lambda path: None,
        r"there is no .*missing; needed is a file, or a folder with ptb",
    ),
    "latin": (
        lambda path: path.write_bytes(b"a word\nna\xefve\n"),
        r"latin is no text in UTF-8: line 2 has the byte 0xef",
    ),
    "empty": (lambda path: path.write_text(" \n"), r"empty is empty"),
    "short": (lambda path: path.write_text("a b"), r"has 2 words to train on; needed are at least"),
    "unbroken": (
        lambda path: path.write_text("a b\n" * 200 + "x" * 1001),
        r"unbroken, line 201, has a word of 1,001 letters, .*--text_by=characters",
    ),
    "folder": (
        lambda path: (path.mkdir(), (path / "ptb.train.txt").write_text(LINE)),
        r"folder has no validation text; allowed names: ptb.valid.txt",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_text_is_refused_in_a_sentence(tmp_path, name):
    make, message = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as refusal:
        TextSource(settings(tmp_path / name))
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60), st.integers(1, 7))
def test_a_vocabulary_knows_the_most_frequent_words(text, most):
    found = vocabulary_of(text, most, "?")
    assert len(found.words) <= most and "?" in found.words
    known = [word for word in found.words if word != "?"]
    left_out = {word: text.count(word) for word in set(text) - set(known)}
    assert all(text.count(word) >= count for word in known for count in left_out.values())
    numbers = found.numbers(text, "x")
    assert [found.words[n] for n in numbers] == [w if w in known else "?" for w in text]


def test_numbers_are_int32_and_lines_end():
    assert Vocabulary(("a", "b"), "b").numbers(["a", "c"], "x").dtype == np.int32
    assert cut_up("a b\n\nc", "words", "x") == ["a", "b", END, END, "c", END]
    assert cut_up("A-b 12\n\nc_d", "tokens", "x") == ["a", "-", "b", "12", END, "c", "_", "d", END]
