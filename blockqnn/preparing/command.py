"""The verb `prepare`: from an official archive to a data set that `--dataset` finds."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import TextIO

from blockqnn.data import tfds_source
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.invocation import command
from blockqnn.preparing.archives import ARCHIVES, TEST, TRAIN, Archive
from blockqnn.preparing.fetching import Wanted, fetch
from blockqnn.preparing.records import write_prepared
from blockqnn.preparing.reporting import Report
from blockqnn.preparing.unpacking import read_files

_UNFINISHED = "incomplete.blockqnn"
"""TFDS takes a folder of another name than a version for no data set, and has such itself."""


@dataclasses.dataclass(frozen=True)
class PrepareSettings:
    """What to prepare, and where.

    Attributes:
        dataset: its name, one of `ARCHIVES`.
        data_dir: where TFDS keeps data sets; empty for its default.
        archive: a file or folder that has the archive's content; None to fetch it.
        url: where to fetch it instead of its official address; empty for that.
    """

    dataset: str
    data_dir: str = ""
    archive: pathlib.Path | None = None
    url: str = ""


def prepare(settings: PrepareSettings, stream: TextIO) -> int:
    """Prepares a data set, unless that has been done.

    Args:
        settings: which one, and where.
        stream: for what is done.

    Returns:
        The exit status.

    Raises:
        UserError: if it cannot be prepared; a download that was begun is kept.
    """
    archive = ARCHIVES[settings.dataset]
    place = tfds_source.place_of(settings.data_dir)
    if found := _prepared(archive, place):
        print(f"{archive.title} is prepared already, in {found}.", file=stream)
        return 0
    print(
        f"{archive.title}, {archive.images(TRAIN):,} training and {archive.images(TEST):,} test "
        f"images of {archive.classes} classes, for {place / archive.dataset}",
        file=stream,
        flush=True,
    )
    with _working_in(place / archive.dataset / _UNFINISHED) as working:
        # Another process may have been at it until a moment ago.
        if not _prepared(archive, place):
            try:
                _prepare(archive, settings, place, working, stream)
            except KeyboardInterrupt:
                print(
                    "\nStopped; what has been fetched is kept, and the same command goes on.",
                    file=stream,
                )
                return INTERRUPTED
        with contextlib.suppress(OSError):
            shutil.rmtree(working)
    print(
        f"Prepared: {place / archive.dataset / archive.version}\n"
        "Search on it:  "
        + command("search", f"--dataset={archive.dataset}", *_data_dir_flag(settings)),
        file=stream,
    )
    return 0


def _prepare(
    archive: Archive,
    settings: PrepareSettings,
    place: pathlib.Path,
    working: pathlib.Path,
    stream: TextIO,
) -> None:
    source = settings.archive
    if source is None:
        source = working / archive.file_name
        _check_room(place, 2 * archive.size - (source.stat().st_size if source.exists() else 0))
        url = settings.url or archive.url
        wanted = Wanted(
            url,
            archive.size,
            archive.sha256,
            "Try again later, or fetch it elsewhere: "
            + command(
                "prepare",
                archive.dataset,
                *_data_dir_flag(settings),
                f"--archive={archive.file_name}",
            ),
        )
        with contextlib.closing(Report(stream, f"Fetching {url}", archive.size, "B")) as report:
            fetch(wanted, source, report)
    files = read_files(source, archive)
    _check_room(place, archive.size)
    prepared = working / archive.version
    try:
        shutil.rmtree(prepared, ignore_errors=True)
        prepared.mkdir()
        images = archive.images(TRAIN) + archive.images(TEST)
        with contextlib.closing(Report(stream, "Writing", images, "images")) as report:
            write_prepared(prepared, archive, files, report)
        _check_written(archive, prepared)
        _flush(prepared)
        prepared.rename(place / archive.dataset / archive.version)
    except (OSError, RuntimeError) as error:
        raise _unusable(place, error) from error


def _prepared(archive: Archive, place: pathlib.Path) -> pathlib.Path | None:
    """Where the data set is; None where there is none.

    Raises:
        UserError: if what is there cannot be read, so that something must be done about it.
    """
    there = place / archive.dataset
    try:
        if not any(there.glob("*/dataset_info.json")):
            if (there / archive.version).exists():
                raise UserError(
                    f"{there / archive.version} exists and is no prepared data set; move it away, "
                    "or name another --data_dir."
                )
            return None
    except OSError as error:
        raise _unusable(place, error) from error
    builder = tfds_source.open_builder(archive.dataset, str(place))
    found = pathlib.Path(builder.data_path)
    for split in builder.info.splits.values():
        for file in split.filepaths:
            if not pathlib.Path(file).is_file():
                raise UserError(
                    f"{found} lacks {pathlib.Path(file).name}; move that folder away, and prepare "
                    f"{archive.dataset} again."
                )
    return found


@contextlib.contextmanager
def _working_in(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Makes the folder of unfinished work, which one process at a time may use."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "lock").open("a", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unusable(directory.parent.parent, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"Another process prepares {directory.parent}; wait for it, or end it."
            ) from error
        except OSError:
            pass  # There are file systems without locks, and two at once are rare.
        yield directory


def _check_room(place: pathlib.Path, wanted: int) -> None:
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return
    if free < wanted:
        raise _unusable(
            place,
            OSError(
                errno.ENOSPC,
                f"needed are {wanted / 1e6:,.0f} MB for the archive and the data set, free are "
                f"{free / 1e6:,.0f} MB",
            ),
        )


def _check_written(archive: Archive, directory: pathlib.Path) -> None:
    """Reads back how many images there are; the library that writes may pass over a full disk."""
    import tensorflow_datasets as tfds

    builder = tfds.core.read_only_builder.builder_from_directory(directory)
    for split in (TRAIN, TEST):
        source = builder.as_data_source(split=split, decoders={"image": tfds.decode.SkipDecoding()})
        found = len(source)
        if found != archive.images(split):
            raise OSError(errno.EIO, f"of {archive.images(split):,} images {found:,} were written")
        source[found - 1]


def _flush(directory: pathlib.Path) -> None:
    """Waits until all of it is on the disk, so that a power cut leaves no hollow files."""
    for path in (*directory.iterdir(), directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _data_dir_flag(settings: PrepareSettings) -> tuple[str, ...]:
    return (f"--data_dir={settings.data_dir}",) if settings.data_dir else ()


def _unusable(place: pathlib.Path, error: Exception) -> UserError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UserError(f"--data_dir {place} cannot be used: {' '.join(str(why).split())}.")
