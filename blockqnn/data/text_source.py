"""Texts to learn from: `text`, which needs no file, and the user's own, `text:PATH`.

PATH is a folder with a training, a validation and a test text, in the usual layout of Penn
Treebank (`ptb.train.txt`), of WikiText (`wiki.train.tokens`) or under plain names (`train.txt`);
or one file, whose first 8 in 10 words are trained on, the next one judges, the last one tests.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import platform
import re
from collections.abc import Mapping, Sequence

import numpy as np

from blockqnn.data.contents import ImageSizes
from blockqnn.data.images import ImageInfo
from blockqnn.data.source import SPLITS, TEST, TRAIN, VALIDATION, LabelledSplit, expanded
from blockqnn.data.text import (
    OWN,
    TOKENS,
    WORDS,
    Vocabulary,
    cut_up,
    read_text,
    vocabulary_of,
)
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

EMBEDDED = "text"
PREFIX = "text:"

_NAMES = {
    TRAIN: ("ptb.train.txt", "wiki.train.tokens", "train.txt", "train.tokens"),
    VALIDATION: ("ptb.valid.txt", "wiki.valid.tokens", "valid.txt", "validation.txt"),
    TEST: ("ptb.test.txt", "wiki.test.tokens", "test.txt", "test.tokens"),
}
_CUT_ALREADY = ("ptb.", "wiki.")
_PARTS = 10
_LEAST = 100
"""Words of a training text."""
_SHOWN = 8


def is_text(name: str) -> bool:
    """Whether a data set is a text, by its name."""
    return name == EMBEDDED or name.startswith(PREFIX)


@dataclasses.dataclass(frozen=True)
class Text:
    """A text as a language model reads it.

    Attributes:
        parts: by split the numbers of its words, int32 [N].
        vocabulary: of the training text.
        unit: what it was cut into.
        unknown: share of words that are unknown, by split.
    """

    parts: Mapping[str, np.ndarray]
    vocabulary: Vocabulary
    unit: str
    unknown: Mapping[str, float]


class TextSource:
    """A source of words; it fulfils `Source`, with words in the place of images."""

    def __init__(self, settings: DataSettings):
        """Reads the text.

        Args:
            settings: which one, and how it is read.

        Raises:
            UserError: if it cannot be read.
        """
        self._settings = settings
        self.text = _text(
            settings.dataset, settings.text_by, settings.vocabulary, settings.unknown_word
        )

    def info(self) -> ImageInfo:
        """See `Source.info`: a word is one number, and the classes are the vocabulary."""
        return ImageInfo((1, 1, 1), len(self.text.vocabulary.words), of_words=True)

    def class_names(self) -> tuple[str, ...]:
        """See `Source.class_names`; none, since a vocabulary is long and its digest tells it."""
        return ()

    def counts(self) -> Mapping[str, int]:
        """See `Source.counts`: words of each split."""
        return {split: len(self.text.parts[split]) for split in SPLITS if split in self.text.parts}

    def class_sizes(self) -> Sequence[int]:
        """See `Source.class_sizes`."""
        return ()

    def open(self, split: str) -> LabelledSplit:
        """See `Source.open`: refuses, since there are no images."""
        raise UserError(f"--dataset {self._settings.dataset} is a text, which has no images.")

    def sizes(self) -> ImageSizes:
        """See `Source.sizes`."""
        return ImageSizes((1,), (1,))

    def passed_over(self) -> Mapping[str, int]:
        """See `Source.passed_over`."""
        return {}

    def check(self) -> tuple[str, ...]:
        """See `Source.check`: how the text was cut, and what is unknown."""
        text = self.text
        most = ", ".join(repr(word)[1:-1] for word in text.vocabulary.words[:_SHOWN])
        said = [f"By {text.unit}, the most frequent first: {most}."]
        shares = {split: share for split, share in text.unknown.items() if share}
        if shares:
            parts = ", ".join(f"{100 * share:.1f} % in {split}" for split, share in shares.items())
            said.append(f"Unknown words, which {text.vocabulary.unknown} stands for: {parts}.")
        if self._settings.dataset == EMBEDDED:
            said.append(
                "The text is the language reference that comes with Python "
                f"{platform.python_version()} (Python Software Foundation License); other versions "
                "of Python have other texts."
            )
        return tuple(said)

    def digest(self, split: str) -> str:
        """See `Source.digest`: of the words of a split and of the vocabulary."""
        known = hashlib.sha256("\n".join(self.text.vocabulary.words).encode()).hexdigest()
        numbers = hashlib.sha256(self.text.parts[split].astype("<i4").tobytes()).hexdigest()
        return hashlib.sha256(f"{known} {numbers}".encode()).hexdigest()


def text_parts(settings: DataSettings) -> tuple[np.ndarray, np.ndarray]:
    """What a search may see of a text: words to train on and words to judge by.

    Args:
        settings: which text; `train_examples` and `validation_examples` are words at most.

    Returns:
        Numbers of words, int32 [N] each, in their order.

    Raises:
        UserError: if the text cannot be read.
    """
    parts = TextSource(settings).text.parts
    train, validation = parts[TRAIN], parts[VALIDATION]
    if not settings.own_validation:
        held = len(train) // _PARTS
        train, validation = train[:-held], train[-held:]
    return (
        train[: settings.train_examples or len(train)],
        validation[: settings.validation_examples or len(validation)],
    )


@functools.lru_cache(maxsize=2)
def _text(dataset: str, unit: str, most: int, unknown: str) -> Text:
    texts, already = _read(dataset)
    if unit == OWN:
        unit = WORDS if already else TOKENS
    words = {split: cut_up(text, unit, where) for split, (where, text) in texts.items()}
    if len(words) == 1:
        words = _cut_in_parts(words[TRAIN])
    where = texts[TRAIN][0]
    if len(words[TRAIN]) < _LEAST:
        raise UserError(
            f"{where} has {len(words[TRAIN]):,} words to train on; needed are at least {_LEAST}."
        )
    vocabulary = vocabulary_of(words[TRAIN], most, unknown)
    parts = {split: vocabulary.numbers(own, f"The {split} text") for split, own in words.items()}
    shares = {}
    if unknown in vocabulary.words:
        number = vocabulary.words.index(unknown)
        shares = {split: float(np.mean(own == number)) for split, own in parts.items()}
    return Text(parts, vocabulary, unit, shares)


def _read(dataset: str) -> tuple[dict[str, tuple[str, str]], bool]:
    """By split where a text is from and the text, and whether it is cut into words already."""
    if dataset == EMBEDDED:
        return {TRAIN: ("The text of Python's language reference", _language_reference())}, False
    path = expanded(dataset.removeprefix(PREFIX))
    if path.is_file():
        return {TRAIN: (str(path), read_text(path))}, False
    if not path.is_dir():
        raise UserError(
            f"--dataset is {dataset}, but there is no {path}; needed is a file, or a folder with "
            f"{', '.join(names[0] for names in _NAMES.values())} or the like."
        )
    found, already = {}, False
    for split, names in _NAMES.items():
        file = next((path / name for name in names if (path / name).is_file()), None)
        if file is None:
            raise UserError(
                f"{path} has no {split} text; allowed names: {', '.join(names)}. One file alone is "
                "named by --dataset=text:FILE, and is cut."
            )
        found[split] = str(file), read_text(file)
        already = already or file.name.startswith(_CUT_ALREADY)
    return found, already


def _cut_in_parts(words: list[str]) -> dict[str, list[str]]:
    ends = [len(words) * part // _PARTS for part in (_PARTS - 2, _PARTS - 1)]
    parts = words[: ends[0]], words[ends[0] : ends[1]], words[ends[1] :]
    return dict(zip(SPLITS, parts, strict=True))


@functools.cache
def _language_reference() -> str:
    """Python's own documentation of its language, each paragraph once."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise UserError(
            "--dataset=text needs Python's language reference, the module pydoc_data, which this "
            "Python lacks; name a text of your own (--dataset=text:PATH)."
        ) from error
    # Topics repeat one another: a test text would be known from the training text.
    paragraphs: dict[str, str] = {}
    for name in sorted(topics):
        for paragraph in re.split(r"\n\s*\n", topics[name]):
            paragraphs.setdefault(" ".join(paragraph.split()), paragraph)
    paragraphs.pop("", None)
    return "\n".join(paragraphs.values())
