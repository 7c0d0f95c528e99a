"""Which files of a folder are images of which class in which split, by names alone."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterable

from blockqnn.data.image_file import SUFFIXES
from blockqnn.data.source import TEST, TRAIN, VALIDATION

_SPLIT = re.compile(
    r"(?:(?P<train>train|training)|(?P<validation>val|valid|validation)|(?P<test>test|testing))"
    r"(?:[ _-]?(?:set|data|images|split))?"
)
_LITTER = frozenset(
    name.casefold()
    for name in (
        *("__MACOSX", "@eaDir", "@Recycle", "@tmp", "#recycle", "#snapshot", "$RECYCLE.BIN"),
        *("System Volume Information", "lost+found", "__pycache__", "Thumbs.db", "desktop.ini"),
    )
)
"""What systems leave in folders, beside what is hidden."""

_NAMED = 3


class FolderError(ValueError):
    """A folder cannot be understood; the message is a sentence without its end."""


@dataclasses.dataclass(frozen=True)
class ClassFolder:
    """The images of a class in one split.

    Attributes:
        name: of the class, in Unicode's composed form.
        path: of the folder.
        files: images, in the order of their names.
    """

    name: str
    path: pathlib.Path
    files: list[pathlib.Path]


@dataclasses.dataclass(frozen=True)
class Tree:
    """What lies where.

    Attributes:
        splits: classes in the order of their names, by split; those with images.
        passed_over: number of files that are not read, by reason.
    """

    splits: dict[str, list[ClassFolder]]
    passed_over: collections.Counter[str]


def one_form(name: str) -> str:
    """A name in the form in which names are compared, whichever system wrote it."""
    return unicodedata.normalize("NFC", name)


class TreeReader:
    """Reads a folder of folders."""

    def __init__(
        self, root: pathlib.Path, class_folders: Iterable[str], skip_folders: Iterable[str]
    ):
        """Says what to read.

        Args:
            root: the folder.
            class_folders: names that are classes though they are called like a split.
            skip_folders: names of folders that are not read.
        """
        self._root = root
        self._classes = frozenset(map(one_form, class_folders))
        self._skipped = frozenset(map(one_form, skip_folders))
        self._passed_over: collections.Counter[str] = collections.Counter()
        self._seen: set[pathlib.Path] = set()

    def read(self) -> Tree:
        """Finds the splits and their classes.

        Returns:
            What lies where.

        Raises:
            FolderError: if it is not sure what is meant, or something is missing.
        """
        folders, images = self._inside(self._root)
        named = {folder: split for folder in folders if (split := self._split_of(folder))}
        if not named:
            if not folders and images:
                raise FolderError(
                    f"{self._root} holds {len(images):,} images and no folders; wanted is a folder "
                    "for each class, with its images in it"
                )
            self._pass_over(images, "images beside the folders of classes")
            return Tree({TRAIN: self._training(self._root, folders)}, self._passed_over)
        self._refuse_a_mixture(list(named), [f for f in folders if f not in named])
        self._pass_over(images, "images beside the splits")
        by_split: dict[str, pathlib.Path] = {}
        for folder, split in named.items():
            if split in by_split:
                raise FolderError(
                    f"{by_split[split]} and {folder} are both folders of {split} images by their "
                    f"names; put them together, or give {self._skip(folder)}"
                )
            by_split[split] = folder
        splits = {}
        for split in (TRAIN, VALIDATION, TEST):
            if split in by_split and (found := self._of_split(by_split[split], split)):
                splits[split] = found
        known = {folder.name for folder in splits[TRAIN]}
        for each in (each for found in splits.values() for each in found):
            if each.name not in known:
                raise FolderError(
                    f"{each.path} is a class that {by_split[TRAIN]} does not have; give "
                    f"{self._skip(each.path)} to pass it over"
                )
        return Tree(splits, self._passed_over)

    def _of_split(self, place: pathlib.Path, split: str) -> list[ClassFolder]:
        folders, images = self._inside(place)
        if split == TRAIN:
            self._pass_over(images, "images beside the folders of classes")
            return self._training(place, folders)
        self._pass_over(images, f"images without a class in {place.name}")
        found = [self._class(folder) for folder in folders]
        return _in_order([folder for folder in found if folder.files])

    def _training(self, place: pathlib.Path, folders: list[pathlib.Path]) -> list[ClassFolder]:
        if len(folders) < 2:
            there = f" ({folders[0].name})" if folders else ""
            raise FolderError(
                f"{place} has {_counted(len(folders), 'folder')}{there}; wanted is one for each "
                "class, at least 2"
            )
        found = [self._class(folder) for folder in folders]
        for folder in found:
            if not folder.files:
                others = collections.Counter(map(_kind, self._inside(folder.path, True)[1]))
                held = ", ".join(f"{count:,} {kind}" for kind, count in others.items())
                raise FolderError(
                    f"{folder.path} has no image{f' that can be read ({held})' if held else ''}; "
                    f"read are files of {', '.join(sorted(SUFFIXES))}; give "
                    f"{self._skip(folder.path)} to pass the folder over"
                )
        return _in_order(found)

    def _class(self, folder: pathlib.Path) -> ClassFolder:
        inner, files = self._inside(folder)
        for each in inner:
            if self._has_images(each):
                raise FolderError(
                    f"{folder} has folders of images in it, such as {each.name}; wanted are the "
                    "images of a class directly in its folder: move them up, name the folder that "
                    f"has the classes, or give {self._skip(each)}"
                )
            self._passed_over["folders without images"] += 1
        return ClassFolder(one_form(folder.name), folder, files)

    def _refuse_a_mixture(self, named: list[pathlib.Path], others: list[pathlib.Path]) -> None:
        """Folders that are called like splits beside others, or without one of training images."""
        nested = [f for f in named if any(map(self._has_images, self._inside(f)[0]))]
        if not nested:
            alone = "" if others else ", and without folders of classes in it"
            beside = f" beside {_listed(others)}" if others else ""
            what = "is named like a split" if len(named) == 1 else "are named like splits"
            raise FolderError(
                f"{_listed(named)} in {self._root} {what}{beside}{alone}; if that is a class, give "
                f"--class_folders={_joined(named)}; to pass it over, {self._skip(*named)}"
            )
        for other in others:
            if self._has_images(other):
                raise FolderError(
                    f"{other} holds images beside the splits {_listed(named)}; give "
                    f"{self._skip(other)} to pass it over, or --class_folders={_joined(named)} if "
                    "those are classes"
                )
            self._passed_over["folders without images"] += 1
        if TRAIN not in map(self._split_of, nested):
            raise FolderError(
                f"{self._root} has {_listed(named)} and no folder train with folders of classes"
            )

    def _inside(
        self, folder: pathlib.Path, other_files: bool = False
    ) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """Folders in a folder, and image files; or those files that are no images."""
        folders, images, others = [], [], []
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: one_form(entry.name))
        except OSError as error:
            raise FolderError(f"{folder} cannot be read ({error.strerror or error})") from error
        for entry in entries:
            if is_litter(entry.name):
                continue
            if entry.is_dir():
                if one_form(entry.name) not in self._skipped:
                    folders.append(entry)
            elif entry.suffix.lower() in SUFFIXES and (entry.is_file() or entry.is_symlink()):
                images.append(entry)
            else:
                others.append(entry)
        if other_files:
            return folders, others
        if folder not in self._seen:
            self._seen.add(folder)
            self._passed_over.update(map(_kind, others))
        return folders, images

    def _split_of(self, folder: pathlib.Path) -> str | None:
        match = _SPLIT.fullmatch(folder.name.casefold())
        if match is None or one_form(folder.name) in self._classes:
            return None
        return match.lastgroup

    def _has_images(self, folder: pathlib.Path) -> bool:
        for _, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not is_litter(name)]
            if any(is_image(name) for name in files):
                return True
        return False

    def _pass_over(self, files: list[pathlib.Path], why: str) -> None:
        if files:
            self._passed_over[why] += len(files)

    def _skip(self, *folders: pathlib.Path) -> str:
        return f"--skip_folders={_joined(folders)}"


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or something that a system left there."""
    return name.startswith(".") or name.casefold() in _LITTER


def is_image(name: str) -> bool:
    """Whether a file is read as an image, by its name."""
    return not is_litter(name) and pathlib.PurePath(name).suffix.lower() in SUFFIXES


def _in_order(folders: list[ClassFolder]) -> list[ClassFolder]:
    for one, other in itertools.pairwise(folders):
        if one.name == other.name:
            raise FolderError(
                f"{one.path.parent} has two folders {one.name}, whose names are written by "
                "different Unicode characters; put them together"
            )
    return folders


def _kind(file: pathlib.Path) -> str:
    return file.suffix.lower() or "files without a suffix"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(folders: list[pathlib.Path]) -> str:
    names = [folder.name for folder in folders]
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(folders) - _NAMED} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _joined(folders: Iterable[pathlib.Path]) -> str:
    return ",".join(folder.name for folder in folders)
