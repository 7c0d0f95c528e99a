"""What a run writes down of its data, and whether data are still those.

Data are known by what they are: the same files are accepted wherever they lie, and
others in their place are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from blockqnn.data.datasets import digest, source_of
from blockqnn.data.source import TEST, TRAIN, VALIDATION
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

_SHOWN = 3


def record(settings: DataSettings, images_needed: bool = True) -> dict[str, Any]:
    """What a run needs to write down to know its data again.

    Args:
        settings: which data set, and how its images are read.
        images_needed: whether they will be read; if not, a data set of TFDS is
            known by its name alone.

    Returns:
        Facts that JSON can hold: `dataset`, `digest`, `test_digest`, `shape`, `classes`
        and, by split, numbers of images: `train`, `validation` and `test`.

    Raises:
        UserError: if the data set cannot be used.
    """
    source = source_of(settings, images_needed)
    info, counts = source.info(), source.counts()
    validation = settings.own_validation and VALIDATION in counts
    return {
        "dataset": settings.dataset,
        "digest": digest(settings, images_needed),
        "test_digest": source.digest(TEST) if TEST in counts else "",
        "shape": list(info.shape),
        "classes": list(source.class_names()),
        TRAIN: counts[TRAIN],
        VALIDATION: counts[VALIDATION] if validation else 0,
        TEST: counts.get(TEST, 0),
    }


def as_recorded(recorded: Mapping[str, Any] | None, settings: DataSettings) -> DataSettings:
    """The settings under which a run reads the data that it was begun with.

    A run of an earlier version, which recorded nothing, held images out, and so does
    one that was begun before the data had a validation split.

    Args:
        recorded: what `record` returned when the run began; None for nothing.
        settings: now.

    Returns:
        The settings, perhaps without a validation split of the data's own.
    """
    if recorded is not None and recorded.get(VALIDATION):
        return settings
    return dataclasses.replace(settings, own_validation=False)


def check_record(
    recorded: Mapping[str, Any] | None,
    settings: DataSettings,
    where: str,
    images_needed: bool = True,
    test: bool = False,
) -> None:
    """Refuses data that are not those of a run; the same ones in another place pass.

    Args:
        recorded: what `record` returned when the run began; None, or without a
            digest, where nothing is known.
        settings: now, as `as_recorded` returns them.
        where: what was begun, for the message, such as `the run in runs/own`.
        images_needed: whether images will be read.
        test: whether the test split counts too.

    Raises:
        UserError: saying what has changed.
    """
    if not recorded:
        return
    now = record(settings, images_needed)
    names = ["digest", *(["test_digest"] if test else ())]
    same = all(now[name] == recorded.get(name) or not recorded.get(name) for name in names)
    # Data that are known by their name alone.
    known = bool(now["digest"] and recorded.get("digest"))
    if (same or not known) and now["shape"] == recorded.get("shape"):
        return
    raise UserError(
        f"The data are not those with which {where} was begun: {_changes(recorded, now)}. Put the "
        "old data back, or say where they are (--dataset), to go on; or begin anew in another "
        "directory (--run_dir, --out_dir)."
    )


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    said = []
    old, new = (list(map(str, facts.get("classes", ()))) for facts in (before, now))
    for names, verb in (
        ([name for name in new if name not in old], "new"),
        ([name for name in old if name not in new], "gone"),
    ):
        if names:
            more = "" if len(names) <= _SHOWN else f" and {len(names) - _SHOWN} more"
            noun = "class" if len(names) == 1 else "classes"
            said.append(f"{verb} {noun} {', '.join(names[:_SHOWN])}{more}")
    for split in (TRAIN, VALIDATION, TEST):
        if before.get(split) != now[split]:
            name = "training" if split == TRAIN else split
            said.append(f"{before.get(split, 0):,} {name} images then, {now[split]:,} now")
    if before.get("shape") != now["shape"]:
        shapes = ["x".join(map(str, facts.get("shape", ()))) for facts in (before, now)]
        said.append(f"images of {shapes[0]} then, {shapes[1]} now")
    return "; ".join(said) or (
        f"as many images of the same names, {now[TRAIN]:,} for training, but other bytes or labels"
    )
