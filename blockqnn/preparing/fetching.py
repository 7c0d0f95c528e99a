"""One file of known size and sum, fetched by HTTP; what was fetched before is kept."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import pathlib
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, BinaryIO

from blockqnn.errors import UserError
from blockqnn.preparing.reporting import Report
from blockqnn.terminal import printable

_CHUNK = 1 << 18
_TIMEOUT_SECONDS = 60.0
_WAITS = (1.0, 3.0, 10.0)
"""Seconds before each new attempt, for as long as attempts bring nothing."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses of servers that may answer better a little later."""
_BROKEN = (http.client.HTTPException, OSError)
"""What a connection may raise; `urllib.error.URLError` is an OSError."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        url: where it lies.
        size: in bytes.
        sha256: of its bytes.
        elsewhere: what to do if it cannot be fetched, as a sentence.
    """

    url: str
    size: int
    sha256: str
    elsewhere: str

    def refusal(self, why: str) -> UserError:
        """The error that says why it could not be fetched, and what to do."""
        return UserError(f"{self.url} cannot be fetched: {why}. {self.elsewhere}")


class _BrokenError(Exception):
    """The connection ended too early; another one may go on."""


class _ChangedError(Exception):
    """What lies there is not what the part on disk is the beginning of."""


def fetch(wanted: Wanted, part: pathlib.Path, report: Report) -> None:
    """Fetches a file, or goes on with what of it is there.

    Args:
        wanted: which file.
        part: where to; what lies there is its beginning. It ends as the whole
            file, of the right sum.
        report: is told how many bytes there are.

    Raises:
        UserError: if it cannot be fetched or is another file; a beginning is kept
            if it may be one.
    """
    if urllib.parse.urlsplit(wanted.url).scheme not in ("http", "https"):
        raise wanted.refusal("its address does not begin with https:// or http://")
    for _ in range(2):
        joined = _fetch_all(wanted, part, report)
        found = sha256_of(part)
        if found == wanted.sha256:
            _validators(part).unlink(missing_ok=True)
            return
        _forget(part)
        if not joined:
            break
        # The pieces may have been of different files: once more, all of it.
    raise wanted.refusal(
        f"its SHA-256 is {found}, wanted is {wanted.sha256}, so it was damaged on its way or "
        "replaced, and was deleted"
    )


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_all(wanted: Wanted, part: pathlib.Path, report: Report) -> bool:
    """Connects until the file has its size; returns whether it was fetched in pieces."""
    if _size(part) > wanted.size:
        _forget(part)
    farthest, in_vain = _size(part), 0
    joined = farthest > 0
    report.begin_at(farthest)
    while (have := _size(part)) < wanted.size:
        joined = joined or have > 0
        try:
            _fetch_more(wanted, part, have, report)
        except _ChangedError:
            _forget(part)
            in_vain += 1
            why = "the server sends another file whenever it is asked to go on"
        except _BrokenError as error:
            in_vain = 0 if _size(part) > farthest else in_vain + 1
            why = str(error)
        farthest = max(farthest, _size(part))
        if _size(part) < wanted.size and in_vain:
            if in_vain > len(_WAITS):
                raise wanted.refusal(f"{why}; {_kept(part, wanted)}")
            time.sleep(_WAITS[in_vain - 1])
    return joined


def _kept(part: pathlib.Path, wanted: Wanted) -> str:
    return (
        f"{_size(part):,} of {wanted.size:,} bytes are kept, and the same command goes on from "
        "there"
    )


def _fetch_more(wanted: Wanted, part: pathlib.Path, have: int, report: Report) -> None:
    """Fetches what one connection brings."""
    response = _asked(wanted, part, have)
    with contextlib.closing(response):
        begin = have
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            begin = 0
            _check_length(wanted, response.headers.get("Content-Length"))
        elif not _is_rest(response.headers.get("Content-Range", ""), have, wanted.size):
            raise _ChangedError
        try:
            _remember(part, response)
            file = part.open("r+b" if begin else "wb")
        except OSError as error:
            raise _unwritable(part, error) from error
        with file:
            if begin == 0 and have:
                report.begin_at(0)
            _copy(wanted, response, file, begin, report)


def _copy(wanted: Wanted, response: Any, file: BinaryIO, begin: int, report: Report) -> None:
    """Writes what a connection brings to the end of the part."""
    file.seek(begin)
    done = begin
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except _BROKEN as error:
            raise _BrokenError(_reason(error)) from error
        if not chunk:
            break
        if done + len(chunk) > wanted.size:
            raise wanted.refusal(f"it is longer than the {wanted.size:,} bytes that it shall have")
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise _unwritable(pathlib.Path(file.name), error) from error
        done += len(chunk)
        report.at(done)
    if done < wanted.size:
        raise _BrokenError(f"the connection ended after {done:,} of {wanted.size:,} bytes")


def _asked(wanted: Wanted, part: pathlib.Path, have: int) -> Any:
    """The response to a request for the file, or for its rest."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "blockqnn"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator := _read_validator(part):
            headers["If-Range"] = validator
    try:
        request = urllib.request.Request(wanted.url, headers=headers)
        # Proxies are those of the environment: https_proxy, no_proxy and so on.
        return urllib.request.build_opener().open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            said = printable(f"the server answers {error.code} {error.reason}".rstrip())
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                raise _ChangedError from error
            if error.code in _PASSING:
                raise _BrokenError(said) from error
            raise wanted.refusal(said) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        cause = getattr(error, "reason", error)
        if have and isinstance(cause, OSError):
            raise _BrokenError(_reason(cause)) from error
        raise wanted.refusal(f"{_reason(cause)}{_by_proxy(wanted.url)}") from error
    except (ValueError, UnicodeError) as error:
        raise wanted.refusal(f"that is no address ({error})") from error


def _by_proxy(url: str) -> str:
    """Says that a proxy was asked, but not which: its address may hold a password."""
    parts = urllib.parse.urlsplit(url)
    used = parts.scheme in urllib.request.getproxies()
    if not used or urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return f" (through the proxy that {parts.scheme}_proxy names)"


def _reason(error: Any) -> str:
    if isinstance(error, TimeoutError):
        return f"the server was silent for {_TIMEOUT_SECONDS:.0f} seconds"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).rstrip(".")


def _check_length(wanted: Wanted, length: str | None) -> None:
    if length is not None and length.isdecimal() and int(length) != wanted.size:
        raise wanted.refusal(
            f"the server offers {int(length):,} bytes, and the archive has {wanted.size:,}"
        )


def _is_rest(content_range: str, begin: int, size: int) -> bool:
    """Whether `bytes 5-9/10` is the rest of a file from a byte on."""
    unit, _, numbers = content_range.strip().partition(" ")
    span, _, total = numbers.partition("/")
    first, _, _ = span.partition("-")
    return unit == "bytes" and first == str(begin) and total in ("*", str(size))


# What tells the version of a file that a server has, so that two are never joined.


def _validators(part: pathlib.Path) -> pathlib.Path:
    return part.with_name(part.name + ".json")


def _remember(part: pathlib.Path, response: Any) -> None:
    tag = response.headers.get("ETag", "")
    # A weak one may be the same for files that differ in some bytes.
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    _validators(part).write_text(json.dumps({"validator": validator}), encoding="utf-8")


def _read_validator(part: pathlib.Path) -> str:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads(_validators(part).read_text(encoding="utf-8")).get("validator", "")
        # It goes into a header, so it must be one line.
        return found if isinstance(found, str) and found.isprintable() else ""
    return ""


def _size(part: pathlib.Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unwritable(part, error) from error


def _forget(part: pathlib.Path) -> None:
    part.unlink(missing_ok=True)
    _validators(part).unlink(missing_ok=True)


def _unwritable(part: pathlib.Path, error: OSError) -> UserError:
    return UserError(
        f"{part} cannot be written: {error.strerror or error}. What has been fetched is kept "
        "where it could be; once that is mended, the same command goes on."
    )
