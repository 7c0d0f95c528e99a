"""The flags that say which images are read, and how: one definition for every verb.

A verb takes `define_source` for the data themselves and, if it cuts them into
parts, `define_parts`; `data_settings` makes `DataSettings` of what was given.
"""

from __future__ import annotations

from typing import Any

from blockqnn.data.text import UNITS
from blockqnn.flags.parsing import FlagSet
from blockqnn.settings import DataSettings

DATASETS = (
    "digits, synthetic:HxWxC:CLASSES[:EXAMPLES], npz:PATH (arrays train_images and train_labels), "
    "folder:PATH (a folder of images for each class), text (some text, for recurrent cells), "
    "text:PATH (a file, or a folder with a training, a validation and a test text), or a TFDS data "
    "set"
)
"""What `--dataset` takes, for help texts."""

MOST_PIXELS = 10_000
"""Of a side that images are scaled to."""

_NAMED = {"white": (255, 255, 255), "black": (0, 0, 0)}


def define_source(flags: FlagSet, dataset: str, note: str = "") -> None:
    """Adds the flags that name data and say how their images are read, in the present group.

    Args:
        flags: that are added to.
        dataset: default of `--dataset`.
        note: what an empty or default `--dataset` stands for, to end its help.
    """
    flags.text("dataset", dataset, f"{DATASETS}{note and '; '}{note}")
    flags.path("data_dir", "", "where TFDS keeps data sets; empty for its default")
    flags.special(
        "resize",
        "0",
        "HEIGHTxWIDTH that every image is scaled to, its longer side cut evenly at both ends; one "
        "number for a square, 0 for images as they are, which must have one size",
        _parse_resize,
        "HEIGHTxWIDTH, as in 64x64, or one number for both, or 0",
    )
    flags.special(
        "background",
        "white",
        "colour behind transparent pixels: white, black, #RRGGBB or RED,GREEN,BLUE",
        _parse_background,
        "white, black, #RRGGBB, or RED,GREEN,BLUE with numbers from 0 to 255",
    )
    flags.text(
        "class_folders",
        "",
        "folders of folder:PATH that are classes although they are called like a split, with "
        "commas between them, as in train",
    )
    flags.text(
        "skip_folders", "", "folders in folder:PATH that are not read, with commas between them"
    )


def define_text(flags: FlagSet) -> None:
    """Adds the flags that say how a text is read, in a group of their own."""
    usual = DataSettings()
    flags.group("Texts (--dataset=text or text:PATH)")
    flags.choice(
        "text_by",
        usual.text_by,
        UNITS,
        "what a text is cut into: what blanks stand between; words, numbers and punctuation in "
        "small letters; or characters. Own is words for Penn Treebank and WikiText, else tokens",
    )
    flags.integer(
        "vocabulary",
        usual.vocabulary,
        "most frequent words of the training text that are known; 0 for all",
    )
    flags.text(
        "unknown_word", usual.unknown_word, "word that stands for all others; empty for none"
    )


def define_parts(flags: FlagSet) -> None:
    """Adds the flags that say which images are trained on and which judge, in the present group.

    Args:
        flags: that are added to.
    """
    flags.integer("train_examples", 0, "most images to train on; 0 for all")
    flags.integer(
        "validation_examples", 0, "most images, of those held out, to judge by; 0 for all"
    )
    flags.integer("split_seed", 0, "seed of the choice of the validation images")
    flags.switch(
        "own_validation",
        True,
        "judge by the validation split that the data have themselves, if they have one, instead "
        "of holding one in six training images out",
    )


def data_settings(values: dict[str, Any]) -> DataSettings:
    """Which images to read, and how.

    Args:
        values: of the flags, by name; those that the verb lacks are at their defaults.

    Returns:
        The settings.
    """
    usual = DataSettings()
    return DataSettings(
        dataset=values["dataset"],
        data_dir=values["data_dir"],
        train_examples=values.get("train_examples", usual.train_examples),
        split_seed=values.get("split_seed", usual.split_seed),
        validation_examples=values.get("validation_examples", usual.validation_examples),
        resize=resize(values["resize"]),
        background=background(values["background"]),
        class_folders=_names(values["class_folders"]),
        skip_folders=_names(values["skip_folders"]),
        own_validation=values.get("own_validation", usual.own_validation),
        text_by=values.get("text_by", usual.text_by),
        vocabulary=values.get("vocabulary", usual.vocabulary),
        unknown_word=values.get("unknown_word", usual.unknown_word),
    )


def resize(text: str) -> tuple[int, int] | None:
    """Height and width that `--resize` stands for; None for images as they are."""
    height, _, width = text.partition("x")
    size = int(height), int(width or height)
    if size == (0, 0):
        return None
    if not all(0 < side <= MOST_PIXELS for side in size):
        raise ValueError
    return size


def background(text: str) -> tuple[int, int, int]:
    """Red, green and blue that `--background` stands for."""
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    if text.startswith("#"):
        if len(text) != 7:
            raise ValueError
        red, green, blue = bytes.fromhex(text[1:])
    else:
        red, green, blue = (int(part) for part in text.split(","))
        if not all(0 <= part <= 255 for part in (red, green, blue)):
            raise ValueError
    return red, green, blue


def _parse_resize(text: str) -> str:
    """The one way of writing a size, by which a run knows it again."""
    size = resize(text or "0")
    if size is None:
        return "0"
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


def _parse_background(text: str) -> str:
    """The one way of writing a colour, by which a run knows it again."""
    colour = background(text)
    known = {value: name for name, value in _NAMED.items()}
    return known.get(colour, f"#{bytes(colour).hex()}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))
