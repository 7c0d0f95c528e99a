"""A download that is broken off, goes on, is another file, or cannot be had."""

import hashlib
import pathlib

import pytest

from tests.blockqnn.preparing.checking import check_images, prepared, refusal
from tests.blockqnn.preparing.small_archive import CONTENT


def test_a_download_goes_on_after_breaks(blockqnn, server):
    server.breaks = [1000, 500, 0, 0]
    prepared(blockqnn)
    assert server.asked == [None, *["bytes=1000-"], *["bytes=1500-"] * 3]
    check_images()


def test_a_download_goes_on_in_the_next_command(blockqnn, server):
    server.breaks = [1000, *[0] * 4]
    err = refusal(blockqnn)
    assert f"1,000 of {len(CONTENT):,} bytes are kept" in err
    server.asked.clear()
    assert "Going on after 0 of" in prepared(blockqnn)
    assert server.asked == ["bytes=1000-"]


def test_a_server_without_ranges_begins_again(blockqnn, server):
    server.ranges, server.breaks = False, [1000]
    prepared(blockqnn)
    assert server.asked == [None, "bytes=1000-"]
    check_images()


def test_a_server_that_breaks_off_at_one_place_is_given_up(blockqnn, server):
    server.ranges, server.breaks = False, [1000] * 20
    assert "the connection ended after 1,000" in refusal(blockqnn)
    assert len(server.asked) == 5


def test_a_file_that_changed_is_fetched_from_its_beginning(blockqnn, server):
    old, server.content = server.content, bytes(len(CONTENT))
    server.breaks = [1000, *[0] * 4]
    refusal(blockqnn)
    server.content, server.tag, server.breaks = old, '"b"', []
    server.asked.clear()
    prepared(blockqnn)
    assert server.asked == ["bytes=1000-"]


def test_pieces_of_two_versions_that_nothing_tells_apart_are_fetched_again(blockqnn, server):
    old, server.content = server.content, bytes(len(CONTENT))
    server.breaks = [1000, *[0] * 4]
    refusal(blockqnn)
    server.content, server.breaks = old, []
    server.asked.clear()
    prepared(blockqnn)
    assert server.asked == ["bytes=1000-", None]


def test_a_part_that_is_too_long_is_begun_again(blockqnn, server):
    working = pathlib.Path("data/cifar10/incomplete.blockqnn")
    working.mkdir(parents=True)
    (working / "small.tar.gz").write_bytes(CONTENT + b"more")
    prepared(blockqnn)
    assert server.asked == [None]


def test_another_content_is_refused_by_its_sum(blockqnn, server):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    err = refusal(blockqnn)
    assert hashlib.sha256(server.content).hexdigest() in err
    assert hashlib.sha256(CONTENT).hexdigest() in err
    assert "--archive=small.tar.gz" in err
    assert not list(pathlib.Path("data").rglob("*.tar.gz"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"content": CONTENT + b"x"}, "the server offers"),
        ({"content": b"<html>log in</html>"}, "the server offers 19 bytes"),
        ({"status": 404}, "404 Not Found"),
        ({"status": 403}, "403 Forbidden"),
        ({"status": 503}, "503 Service Unavailable"),
        ({"to": "http://127.0.0.1:1/"}, "Connection refused"),
    ],
)
def test_what_a_server_says_is_passed_on_in_a_sentence(blockqnn, server, change, said):
    for name, value in change.items():
        setattr(server, name, value)
    assert said in refusal(blockqnn)


def test_a_server_may_send_elsewhere(blockqnn, server):
    server.to = "/there"
    prepared(blockqnn)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "does not begin with https://"),
        ("http://", "cannot be fetched"),
        ("http://127.0.0.1:99999/x", "cannot be fetched"),
        ("http://no.such.host.invalid/x", "cannot be fetched"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(blockqnn, offline, url, said):
    assert said in refusal(blockqnn, f"--url={url}")


def test_a_proxy_that_is_not_there_is_named_without_its_password(blockqnn, offline, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:1")
    err = refusal(blockqnn, "--url=http://example.invalid/small.tar.gz")
    assert "through the proxy that http_proxy names" in err
    assert "secret" not in err


def test_another_copy_is_fetched_through_a_proxy_and_checked(blockqnn, server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/small.tar.gz"))
    prepared(blockqnn, "--url=http://mirror.invalid/copy.tar.gz")


def test_a_full_disk_is_a_sentence_and_the_part_is_kept(blockqnn, server, monkeypatch):
    working = pathlib.Path("data/cifar10/incomplete.blockqnn")
    working.mkdir(parents=True)
    (working / "small.tar.gz").symlink_to("/dev/full")
    assert "No space left on device" in refusal(blockqnn)
