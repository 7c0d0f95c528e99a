"""Which images `evaluate` measures: those that judged the training, others of it, or other data."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from typing import Any

import numpy as np

from blockqnn.children.checkpoint_metadata import Metadata
from blockqnn.data import folder_source
from blockqnn.data.images import Images
from blockqnn.errors import UserError
from blockqnn.full_training.parts import by_size, cut
from blockqnn.full_training.searched import data_digest
from blockqnn.full_training.settings import HELD_OUT, NOTHING, TEST, VALIDATION, FullData
from blockqnn.full_training.splits import FullInfo, Part, Split, describe_full, open_whole
from blockqnn.settings import DataSettings

JUDGED, TRAIN, ALL = "judged", "train", "all"
SPLITS = (JUDGED, TEST, VALIDATION, TRAIN, ALL)

_SIZE = re.compile(r":\d+x\d+$")


@dataclasses.dataclass(frozen=True)
class ChosenImages:
    """The images that are measured.

    Attributes:
        data: which data set.
        info: what is known of it.
        own: whether it is the one that the network was trained on.
        split: `test`, `validation`, `held_out`, `train` or `all`.
        held_out: whether the training left images of the training split out.
        labels: int [classes of the data], the network's label of each class of the data.
    """

    data: FullData
    info: FullInfo
    own: bool
    split: str
    held_out: bool
    labels: np.ndarray

    def in_words(self) -> str:
        """Which images of which data set."""
        name = self.data.source.dataset
        return {
            TEST: f"the test split of {name}",
            VALIDATION: f"the validation split of {name}",
            HELD_OUT: f"the images of {name} that the training held out",
            TRAIN: f"the images of {name} that it was trained on"
            if self.own
            else f"the training split of {name}",
            ALL: f"all images of {name}"
            + (", those that it was trained on among them" if self.own else ""),
        }[self.split]


def choose(metadata: Metadata, other: DataSettings, split: str) -> ChosenImages:
    """Finds the images, without reading them.

    Args:
        metadata: of the network.
        other: another data set, or the same at another place; its `dataset` is empty for
            the network's own. What it leaves at its default is as it was in the training.
        split: one of `SPLITS`.

    Returns:
        The images.

    Raises:
        UserError: if there are none of that kind, the network was not made for them, or they
            have changed since the training.
    """
    before, source = metadata.data, trained_on(metadata)
    dataset = other.dataset
    name = _scaled_alike(dataset, source.dataset) if dataset else source.dataset
    usual = DataSettings()
    named = {
        key: getattr(other, key)
        for key in ("resize", "background", "class_folders", "skip_folders")
        if getattr(other, key) != getattr(usual, key)
    }
    source_here = dataclasses.replace(source, dataset=name, data_dir=other.data_dir, **named)
    data = FullData(
        source=source_here,
        hold_out=bool(before.get("hold_out", False)),
        test_split=str(before.get("test_split", "")) if name == source.dataset else "",
        image_size=int(before.get("image_size", 0)),
    )
    try:
        info = describe_full(data)
    except UserError as error:
        if dataset:
            raise
        raise UserError(
            f"{error} --dataset says where the data of the training are now."
        ) from error
    own = name == source.dataset
    if metadata.data_digest and (found := data_digest(source_here)):
        same = found == metadata.data_digest
        if own and not same and not dataset:
            raise UserError(
                f"{name} has changed since the training, so which of its images are new to the "
                f"network is not known. --dataset={name} measures them as other data."
            )
        own = same
    if not own:
        # What was a class or to be skipped there says nothing of other folders.
        folders = {key: getattr(other, key) for key in ("class_folders", "skip_folders")}
        elsewhere = dataclasses.replace(source_here, train_examples=0, split_seed=0, **folders)
        data = dataclasses.replace(data, source=elsewhere, hold_out=False)
    labels = _labels(metadata, info, name)
    judged = metadata.data.get("judged_on", NOTHING) if own else NOTHING
    held_out = judged == HELD_OUT or data.hold_out
    found = _found(data, info, own, judged, held_out, split)
    return ChosenImages(data, info, own, found, held_out, labels)


def trained_on(metadata: Metadata) -> DataSettings:
    """The data of a training, as its checkpoints say."""
    known = {field.name for field in dataclasses.fields(DataSettings)}
    facts = {k: v for k, v in metadata.data["source"].items() if k in known}
    # Earlier versions kept the side of a square here.
    if side := int(metadata.data.get("resize", 0)):
        facts["resize"] = (side, side)
    return DataSettings(**facts)


def open_images(chosen: ChosenImages) -> Part:
    """Opens the images that were chosen, with the network's labels.

    Args:
        chosen: as `choose` returns it.

    Returns:
        The images.

    Raises:
        UserError: if they cannot be read.
    """
    data, info = chosen.data, chosen.info
    if chosen.split == ALL:
        parts = [open_whole(data, split) for split in ("train", *info.other_splits)]
        joined = _Joined([part.split for part in parts], chosen.labels)
        return Part(joined, np.arange(len(joined)))
    if chosen.split == TEST:
        part = open_whole(data, info.test_split)
    elif chosen.split == VALIDATION:
        part = open_whole(data, info.validation_split or VALIDATION)
    else:
        part = open_whole(data, "train")
        if chosen.split == HELD_OUT:
            part = cut(part.split, data)[1]
        elif chosen.held_out:
            part = cut(part.split, data)[0]
    return Part(_Joined([part.split], chosen.labels), part.indices)


class _Joined:
    """Splits one after another, with other labels."""

    def __init__(self, splits: list[Split], labels: np.ndarray):
        """Takes the splits, whose images have one size, and the new label of each label."""
        self._splits, self._new = splits, labels
        self._ends = np.cumsum([len(split) for split in splits])
        self.shape = splits[0].shape

    def __len__(self) -> int:
        return int(self._ends[-1])

    def labels(self) -> np.ndarray:
        """See `Split.labels`."""
        return self._relabelled(np.concatenate([split.labels() for split in self._splits]))

    def read(self, indices: np.ndarray) -> Images:
        """See `Split.read`."""
        images = np.empty((len(indices), *self.shape), np.uint8)
        labels = np.empty(len(indices), np.int32)
        where = np.searchsorted(self._ends, indices, side="right")
        for number in np.unique(where).tolist():
            here = where == number
            begin = int(self._ends[number]) - len(self._splits[number])
            found = self._splits[number].read(indices[here] - begin)
            images[here], labels[here] = found.images, self._relabelled(found.labels)
        return Images(images, labels)

    def _relabelled(self, labels: np.ndarray) -> np.ndarray:
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self._new):
            raise UserError(
                f"The labels of the images go from {labels.min()} to {labels.max()}; there are "
                f"{len(self._new)} classes."
            )
        renamed: np.ndarray = self._new[labels].astype(np.int32)
        return renamed


def _scaled_alike(name: str, trained_on: str) -> str:
    """A folder that names no size is scaled to that of the folder that was trained on."""
    size = _SIZE.search(trained_on)
    folders = all(text.startswith(folder_source.PREFIX) for text in (name, trained_on))
    return name + size[0] if folders and size and not _SIZE.search(name) else name


def _labels(metadata: Metadata, info: FullInfo, dataset: str) -> np.ndarray:
    """The network's label of each class of the data; refuses data that do not fit it."""
    layout, names = metadata.child_layout, metadata.class_names
    by_name = bool(names and info.class_names)
    if info.seen != layout.image_shape or (info.classes != layout.classes and not by_name):
        resized = (
            f" --resize={layout.height}x{layout.width} scales images."
            if info.seen[:2] != layout.image_shape[:2]
            else ""
        )
        raise UserError(
            f"The images of {dataset} are {by_size(info.seen)} in {info.classes} classes; the "
            f"network takes {by_size(layout.image_shape)} in {layout.classes} classes.{resized}"
        )
    if not by_name:
        return np.arange(info.classes)
    places = {_one_form(name): label for label, name in enumerate(names)}
    strange = [name for name in info.class_names if _one_form(name) not in places]
    if strange:
        raise UserError(
            f"{dataset} has classes that the network does not know: {', '.join(strange[:5])}; it "
            f"was trained on {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}."
        )
    return np.array([places[_one_form(name)] for name in info.class_names])


def _one_form(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _found(
    data: FullData, info: FullInfo, own: bool, judged: str, held_out: bool, split: str
) -> str:
    """Which images there are of the kind that was asked for."""
    there: dict[str, Any] = {TEST: info.test_split, VALIDATION: info.validation_split}
    if "validation" in info.other_splits and info.test_split != "validation":
        there[VALIDATION] = "validation"
    if split in (TRAIN, ALL):
        return split
    if split == JUDGED and judged != NOTHING:
        return judged
    if split == JUDGED:
        if there[TEST]:
            return TEST
        if not own:
            return ALL
    elif there[split]:
        return split
    if held_out and (split == VALIDATION or not there[TEST]):
        return HELD_OUT
    what = "test" if split == JUDGED else split
    raise UserError(
        f"The data set {data.source.dataset} has no {what} split, and the training held no "
        f"images out; --split={TRAIN} or --split={ALL} measures others."
        if own
        else f"The data set {data.source.dataset} has no {what} split; --split={ALL} measures all "
        "of its images."
    )
