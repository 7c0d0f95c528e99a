"""The flags of `prepare`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blockqnn.errors import UserError
from blockqnn.flags import parsing
from blockqnn.flags.verb import Verb

if TYPE_CHECKING:
    from blockqnn.preparing.command import PrepareSettings


def define() -> parsing.FlagSet:
    """The flags of `prepare`, at their defaults."""
    flags = parsing.FlagSet(
        "prepare",
        "DATASET",
        "Fetches a public data set and writes it for --dataset=DATASET. DATASET is cifar10 or "
        "cifar100. A download that was broken off is gone on with. No TensorFlow is needed.",
    )
    flags.group("Where to")
    flags.path("data_dir", "", "where data sets are kept; empty for the default of TFDS")
    flags.group("Where from")
    flags.path(
        "archive",
        "",
        "the archive as a file, or a folder with its unpacked files, for a machine without "
        "network; empty to fetch it",
    )
    flags.text(
        "url",
        "",
        "address of another copy of the archive, whose sum is checked all the same; empty for "
        "the official one",
    )
    return flags


def parse(arguments: Sequence[str]) -> PrepareSettings:
    """Turns the command line of `prepare` into settings.

    Args:
        arguments: what follows `prepare`.

    Returns:
        What to prepare.

    Raises:
        UserError: if the command line cannot be used.
    """
    from blockqnn.preparing.archives import ARCHIVES
    from blockqnn.preparing.command import PrepareSettings

    flags = define()
    allowed = " or ".join(ARCHIVES)
    (name,) = flags.words(arguments, f"one data set, {allowed}")
    if name not in ARCHIVES:
        raise UserError(
            f"prepare knows {allowed}, given {name!r}; other data sets are prepared by "
            "tensorflow-datasets (BUILD.md, 'Data sets')."
        )
    value = flags.chosen()
    if value["archive"] and value["url"]:
        raise UserError("--archive is a file that is here, --url one to fetch; give one of them.")
    archive = pathlib.Path(value["archive"]) if value["archive"] else None
    return PrepareSettings(name, value["data_dir"], archive, value["url"])


def _run(settings: PrepareSettings) -> int:
    from blockqnn.preparing.command import prepare

    return prepare(settings, sys.stdout)


PREPARE = Verb("prepare", define, parse, _run)
