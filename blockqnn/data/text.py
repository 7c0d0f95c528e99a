"""Texts as numbers: words or characters, and the vocabulary that knows them."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import re
from collections.abc import Iterable

import numpy as np

from blockqnn.errors import UserError

OWN, WORDS, TOKENS, CHARACTERS = UNITS = ("own", "words", "tokens", "characters")
"""What a text is cut into: what blanks stand between; words, numbers and punctuation, in small
letters; or characters. Own is the first for files that are cut into words already, else the
second."""

END = "<eos>"
"""Stands at the end of each line."""
MOST_LETTERS = 1_000
"""Of a word: more, and it is no text, or there are no blanks in it."""

_TOKEN = re.compile(r"<\w+>|[^\W\d_]+|\d+|[^\w\s]+|_+")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The words that a language model knows.

    Attributes:
        words: by number, the most frequent first; the unknown word is among them if there is one.
        unknown: the word that stands for all others.
    """

    words: tuple[str, ...]
    unknown: str

    def numbers(self, text: Iterable[str], where: str) -> np.ndarray:
        """The numbers of words.

        Args:
            text: the words.
            where: they are from, for the message.

        Returns:
            int32 [N].

        Raises:
            UserError: if one is not known, and no word stands for it.
        """
        known = {word: number for number, word in enumerate(self.words)}
        other = known.get(self.unknown)
        found = [known.get(word, other) for word in text]
        if other is None and None in found:
            word = next(w for w, n in zip(text, found, strict=True) if n is None)
            raise UserError(
                f"{where} has {word[:40]!r}, which the training text has not, and no word stands "
                "for unknown ones; name one that does (--unknown_word), or limit the vocabulary "
                "(--vocabulary), so that rare words become unknown."
            )
        return np.array(found, np.int32)


def vocabulary_of(text: Iterable[str], most: int, unknown: str) -> Vocabulary:
    """The vocabulary of a training text.

    Args:
        text: its words.
        most: words at most, that for unknown ones included; 0 for all that occur.
        unknown: the word that stands for all others. It is known in any case if words were left
            out, and where all words are known it is added, since other texts may have new ones.

    Returns:
        The words by how often they occur, equals in alphabetical order.
    """
    counts = collections.Counter(text)
    if unknown:
        counts.setdefault(unknown, 0)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    if most and len(ordered) > most:
        kept = ordered[:most]
        if unknown and unknown not in kept:
            kept[-1] = unknown
        ordered = kept
    return Vocabulary(tuple(ordered), unknown)


def read_text(path: pathlib.Path) -> str:
    """The text of a file in UTF-8.

    Args:
        path: of the file.

    Returns:
        The text.

    Raises:
        UserError: if it cannot be read, is no such text, or is empty.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path} is no text in UTF-8: line {line} has the byte 0x{raw[error.start]:02x}, which "
            "cannot stand there; write it anew, as in iconv -f latin1 -t utf-8."
        ) from error
    if not text.strip():
        raise UserError(f"{path} is empty; a text has at least some words.")
    return text


def cut_up(text: str, unit: str, where: str) -> list[str]:
    """Cuts a text into what a language model reads.

    Args:
        text: any.
        unit: `words`, `tokens` or `characters`.
        where: it is from, for the message.

    Returns:
        Words with `END` after each line, or the characters.

    Raises:
        UserError: if a word is longer than any word is.
    """
    if unit == CHARACTERS:
        return list(text.replace("\r\n", "\n"))
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split() if unit == WORDS else _TOKEN.findall(line.lower())
        for word in words:
            if len(word) > MOST_LETTERS:
                raise UserError(
                    f"{where}, line {number}, has a word of {len(word):,} letters, "
                    f"{word[:20]!r}...; allowed are {MOST_LETTERS:,}. If it has no blanks, read it "
                    "by characters (--text_by=characters)."
                )
        if words or unit == WORDS:
            found += [*words, END]
    return found
