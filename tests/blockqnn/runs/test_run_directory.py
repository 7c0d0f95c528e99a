"""Run directories on disks that are full, read-only, on a network or without locks."""

import contextlib
import errno
import fcntl
import json
import platform
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

from blockqnn.runs import file_system, run_directory
from blockqnn.runs.file_system import network_file_system
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import StatusFile
from tests.blockqnn.chaos import result_of, run_to_the_end, search_command
from tests.paths import ROOT

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /home rw,relatime shared:20 - nfs4 server:/home rw,vers=4.2
41 40 0:36 / /home/here rw - ext4 /dev/sdb1 rw
42 22 0:37 / /mnt/with\\040space rw - fuse.sshfs host: rw
43 22 0:38 / /shared rw - ext4 /dev/sdc1 rw
44 22 0:39 / /shared rw - lustre mds@tcp:/work rw
nonsense
50 22
51 22 0:40 / /odd rw -
"""


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", None),
        ("/home", "nfs4"),
        ("/home/one/runs", "nfs4"),
        ("/homely", None),
        ("/home/here/runs", None),
        ("/mnt/with space/runs", "fuse.sshfs"),
        ("/shared/runs", "lustre"),
        ("/odd/runs", None),
    ],
)
def test_network_file_systems_are_known_by_what_is_mounted(mounts, path, kind):
    assert network_file_system(file_system.pathlib.Path(path), mounts) == kind


def test_where_nothing_is_known_it_is_taken_for_local(tmp_path):
    assert network_file_system(tmp_path, tmp_path / "nothing") is None


@pytest.fixture
def on_nfs(monkeypatch):
    monkeypatch.setattr(run_directory, "network_file_system", lambda path: "nfs4")


@pytest.mark.usefixtures("on_nfs")
def test_a_run_on_a_network_file_system_says_so_and_is_as_any_other(blockqnn):
    out = blockqnn.search("--preset=smoke", "--run_dir=run")
    assert "run is on a network file system (nfs4)" in out
    with contextlib.closing(sqlite3.connect("run/store.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)
    assert len(read_run(blockqnn.directory / "run").trials) >= 4


def status_of_another_machine(path, monkeypatch, age=0.0):
    path.mkdir()
    with monkeypatch.context() as context:
        context.setattr(platform, "node", lambda: "elsewhere")
        StatusFile(path / "status.json", "local", 3).workers([])
    fields = json.loads((path / "status.json").read_text())
    (path / "status.json").write_text(json.dumps(fields | {"written": time.time() - age}))


@pytest.mark.usefixtures("on_nfs")
def test_a_driver_on_another_machine_is_refused_where_locks_do_not_reach(blockqnn, monkeypatch):
    status_of_another_machine(blockqnn.directory / "run", monkeypatch)
    status, out, err = blockqnn("search", "--preset=smoke", "--evaluator=dry", "--run_dir=run")
    assert (status, out) == (2, "")
    assert "run is being searched by another process (process " in err
    assert " on elsewhere)" in err


@pytest.mark.usefixtures("on_nfs")
def test_one_that_has_been_silent_does_not_keep_others_out(blockqnn, monkeypatch):
    status_of_another_machine(blockqnn.directory / "run", monkeypatch, age=3600.0)
    blockqnn.search("--preset=smoke", "--run_dir=run")


def test_a_file_system_without_locks_is_refused(blockqnn, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    status, out, err = blockqnn("search", "--preset=smoke", "--evaluator=dry", "--run_dir=run")
    assert (status, out) == (2, "")
    assert "Files in run cannot be locked (No locks available)" in err


def searched_with_little_space(run_dir, limit):
    """A search whose files must not grow beyond a limit, as on a full disk."""
    program = (
        "import os, resource, sys;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = search_command(run_dir, "--executor=inline")
    return subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_store_that_cannot_grow_stops_the_search_and_goes_on_later(tmp_path):
    ended = searched_with_little_space(tmp_path / "run", 200_000)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "store.sqlite cannot be written to:" in ended.stderr
    assert "the same command continues" in ended.stderr
    some = len(read_run(tmp_path / "run").trials)
    run_to_the_end(tmp_path / "run", "--executor=inline")
    run_to_the_end(tmp_path / "whole", "--executor=inline")
    assert 0 < some < len(read_run(tmp_path / "whole").trials)
    assert result_of(tmp_path / "run") == result_of(tmp_path / "whole")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if shutil.which("mount") is None or not mount("size=400k"):
        pytest.skip("mounting a file system is not allowed here")
    yield place, mount
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_stops_the_search_and_it_goes_on_when_there_is_space(small_disk, tmp_path):
    disk, mount = small_disk
    command = search_command(disk / "run", "--executor=local", "--workers=1")
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "store.sqlite cannot be written to: database or disk is full." in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert mount("remount,size=8m")
    run_to_the_end(disk / "run", "--executor=local", "--workers=1")
    run_to_the_end(tmp_path / "whole", "--executor=inline")
    assert result_of(disk / "run") == result_of(tmp_path / "whole")

    assert mount("remount,ro")
    for name in ("run", "new"):
        command = search_command(disk / name, "--executor=inline")
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert refused.stderr == (
            f"blockqnn: --run_dir {disk / name} cannot be used: Read-only file system.\n"
        )
    # What is there can still be read.
    for verb in ("trials", "show", "status"):
        subprocess.run(
            [sys.executable, "-m", "blockqnn", verb, str(disk / "run")],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
