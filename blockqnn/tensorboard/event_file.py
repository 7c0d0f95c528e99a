"""Event files, which TensorBoard reads: records of protocol buffers, one file after the other.

tensorboardX has the messages and the checksum. Its writer hands events to a
thread and names files by the second; here each event is in the file when the
call returns, in one piece, and a new file always sorts after the older ones.
"""

from __future__ import annotations

import math
import pathlib
import platform
import re
import struct
import time
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from google.protobuf.message import DecodeError
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from blockqnn.errors import UserError

_PATTERN = "*tfevents*"
_SECONDS = re.compile(r"tfevents\.(\d{1,15})\.")
_LARGEST = 3.4028234e38
"""A scalar is a float of 32 bits."""
_FLUSH_SECONDS = 1.0


class EventFile:
    """A new event file, which appears when the first event is written."""

    def __init__(self, directory: pathlib.Path):
        """Creates nothing yet.

        Args:
            directory: where the file is to be; it exists.
        """
        self._directory = directory
        self._file: BinaryIO | None = None
        self._flushed = -math.inf

    def add(
        self,
        step: int,
        wall_time: float,
        scalars: Mapping[str, float],
        images: Mapping[str, bytes] | None = None,
    ) -> None:
        """Writes what is known of one step.

        Args:
            step: of all values.
            wall_time: of all values, in seconds since 1970.
            scalars: by tag; what exceeds 32 bits is left out.
            images: PNG files by tag.
        """
        summary = Summary()
        for tag, value in scalars.items():
            if abs(value) <= _LARGEST:
                summary.value.add(tag=tag, simple_value=value)
        for tag, png in (images or {}).items():
            # The first chunk of a PNG file holds its size.
            width, height = struct.unpack(">II", png[16:24])
            image = Summary.Image(
                height=height, width=width, colorspace=4, encoded_image_string=png
            )
            summary.value.add(tag=tag, image=image)
        self.add_summary(step, wall_time, summary)

    def add_summary(self, step: int, wall_time: float, summary: Summary) -> None:
        """Writes a summary that is ready."""
        self._write(Event(step=step, wall_time=wall_time, summary=summary))

    def restart(self, step: int, wall_time: float) -> None:
        """Tells readers to forget what older files say of this step and of later ones.

        Args:
            step: the first that is written anew.
            wall_time: in seconds since 1970.
        """
        start = SessionLog(status=SessionLog.START)
        self._write(Event(step=step, wall_time=wall_time, session_log=start))

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, event: Event) -> None:
        if self._file is None:
            try:
                self._file = _path(self._directory).open("xb")
            except OSError as error:
                raise UserError(
                    f"Events cannot be written to {self._directory}: {error.strerror or error}."
                ) from error
            self._write(Event(wall_time=event.wall_time, file_version="brain.Event:2"))
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        sums = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
        # In one call, so that Ctrl-C finds a whole record or none.
        self._file.write(length + sums[0] + data + sums[1])
        now = time.monotonic()
        if now - self._flushed >= _FLUSH_SECONDS:
            self._flushed = now
            self._file.flush()


def _path(directory: pathlib.Path) -> pathlib.Path:
    """A name after those of the files that are there, which TensorBoard reads in this order."""
    found = (_SECONDS.search(path.name) for path in directory.glob(_PATTERN))
    newest = max((int(match[1]) for match in found if match), default=0)
    seconds = max(int(time.time()), newest + 1)
    return directory / f"events.out.tfevents.{seconds:010}.{platform.node()}"


def read_events(directory: pathlib.Path) -> Iterator[Event]:
    """All events of a directory, in the order in which TensorBoard reads them.

    A record that was cut short when its writer was killed ends its file.

    Args:
        directory: which need not exist.

    Yields:
        Each event.
    """
    for path in sorted(directory.glob(_PATTERN)):
        data = path.read_bytes()
        position = 0
        while position + 12 <= len(data):
            (length,) = struct.unpack_from("<Q", data, position)
            end = position + 12 + length + 4
            if end > len(data):
                break
            try:
                yield Event.FromString(data[position + 12 : end - 4])
            except DecodeError:
                break
            position = end
