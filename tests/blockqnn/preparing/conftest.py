"""A small archive in the place of the official one."""

import pytest

from blockqnn.preparing import fetching
from blockqnn.preparing.archives import ARCHIVES
from tests.blockqnn.preparing.small_archive import CONTENT, FILES, archive_of, serving


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(fetching, "_WAITS", (0.0, 0.0, 0.0))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch):
    """A server that has the archive; the table of archives names it."""
    with serving(CONTENT) as served:
        monkeypatch.setitem(ARCHIVES, "cifar10", archive_of(CONTENT, FILES, served.url))
        yield served


@pytest.fixture
def offline(monkeypatch):
    """The table of archives names a server that is not there."""
    monkeypatch.setitem(ARCHIVES, "cifar10", archive_of(CONTENT, FILES))
