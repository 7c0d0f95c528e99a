"""The files of an archive, read from a tar file or from a folder, and checked by their sums.

Nothing is unpacked onto the disk: of a tar file the wanted members are read and
all others passed over, whatever their names are.
"""

from __future__ import annotations

import hashlib
import lzma
import pathlib
import tarfile
import zlib
from typing import IO

import numpy as np

from blockqnn.errors import UserError
from blockqnn.preparing.archives import Archive, ArchivedFile


def read_files(path: pathlib.Path, archive: Archive) -> dict[str, np.ndarray]:
    """Reads the records of an archive.

    Args:
        path: of a tar file, compressed or not, or of a folder with its files.
        archive: which one it shall be.

    Returns:
        For each file by its name its records, uint8 [N, bytes of a record].

    Raises:
        UserError: if it cannot be read, lacks a file, or has other content.
    """
    read = _from_folder if _is_folder(path) else _from_tar
    try:
        found = read(path, archive)
    # Each way of compressing raises errors of its own about damaged data.
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _refusal(path, archive, f"cannot be read ({why})") from error
    for file in archive.files:
        if file.name not in found:
            raise _refusal(path, archive, f"has no {archive.folder}/{file.name}")
    return {
        file.name: _checked(path, archive, file, found[file.name]).reshape(
            file.images, archive.record_bytes
        )
        for file in archive.files
    }


def _is_folder(path: pathlib.Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # The name is too long, or holds a null byte.
        return False


def _checked(
    path: pathlib.Path, archive: Archive, file: ArchivedFile, content: bytes
) -> np.ndarray:
    if len(content) != file.images * archive.record_bytes:
        raise _refusal(
            path,
            archive,
            f"has another {file.name}: wanted are {file.images * archive.record_bytes:,} bytes",
        )
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise _refusal(
            path,
            archive,
            f"has another {file.name}: its SHA-256 is {found}, wanted is {file.sha256}",
        )
    return np.frombuffer(content, np.uint8)


def _from_folder(path: pathlib.Path, archive: Archive) -> dict[str, bytes]:
    found = {}
    for file in archive.files:
        for place in (path / archive.folder / file.name, path / file.name):
            if place.is_file():
                with place.open("rb") as opened:
                    found[file.name] = _read(opened, archive, file)
                break
    return found


def _from_tar(path: pathlib.Path, archive: Archive) -> dict[str, bytes]:
    wanted = {name: f for f in archive.files for name in (f.name, f"{archive.folder}/{f.name}")}
    found: dict[str, bytes] = {}
    with tarfile.open(path, "r|*") as opened:
        for member in opened:
            file = wanted.get(member.name.removeprefix("./"))
            # A link has no content of its own, and could point anywhere.
            if file is None or not member.isreg():
                continue
            content = opened.extractfile(member)
            if content is not None:
                found[file.name] = _read(content, archive, file)
            if len(found) == len(archive.files):
                break
    return found


def _read(opened: IO[bytes], archive: Archive, file: ArchivedFile) -> bytes:
    """At most one byte more than the file shall have, so that a bomb stays small."""
    return opened.read(file.images * archive.record_bytes + 1)


def _refusal(path: pathlib.Path, archive: Archive, why: str) -> UserError:
    return UserError(
        f"{path} {why}; wanted is {archive.file_name} from {archive.url}, or a folder with its "
        "files."
    )
