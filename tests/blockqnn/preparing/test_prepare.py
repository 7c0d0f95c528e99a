"""`prepare`: what comes out is what TFDS would have written, whatever happened on the way."""

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core import hashing

from blockqnn.full_training.settings import FullData
from blockqnn.full_training.splits import describe_full, open_test
from blockqnn.preparing import command
from blockqnn.preparing.archives import ARCHIVES, TEST, TRAIN
from blockqnn.preparing.records import order_of
from blockqnn.preparing.reporting import Report
from blockqnn.settings import DataSettings
from tests.blockqnn.data.test_tfds import CIFAR, needs_cifar
from tests.blockqnn.preparing.checking import check_images, prepared, refusal
from tests.blockqnn.preparing.small_archive import CONTENT, FILES, archive_of, records, tar_of
from tests.paths import ROOT


def test_a_fetched_archive_is_a_data_set_for_every_verb(blockqnn, server):
    out = prepared(blockqnn)
    assert "60 training and 20 test images of 10 classes" in out
    assert f"Fetching {server.url}" in out
    assert server.asked == [None]
    check_images()
    again = blockqnn("prepare", "cifar10", "--data_dir=data")
    assert again == (0, "Small is prepared already, in data/cifar10/3.0.2.\n", "")
    assert server.asked == [None]


def test_the_files_are_those_that_tfds_describes(blockqnn, server):
    prepared(blockqnn)
    source = tfds.data_source("cifar10", data_dir="data", split="train", download=False)
    first = order_of(TRAIN, 60)[0]
    assert source[0]["id"] == f"train_{first:05d}".encode()
    hasher = hashing.Hasher("train")
    assert order_of(TRAIN, 60) == sorted(range(60), key=hasher.hash_key)
    info = json.loads(pathlib.Path("data/cifar10/3.0.2/dataset_info.json").read_text())
    assert [split["shardLengths"] for split in info["splits"]] == [["60"], ["20"]]


def test_fine_and_coarse_labels_of_cifar100_stay_apart(blockqnn, monkeypatch, tmp_path):
    files = records(labels=2, classes=20)
    for rows in files.values():
        rows[:, 1] += 60
    path = tmp_path / "here.tar.gz"
    path.write_bytes(tar_of(files))
    monkeypatch.setitem(ARCHIVES, "cifar100", archive_of(b"", files, dataset="cifar100"))
    status, _, err = blockqnn("prepare", "cifar100", "--data_dir=data", f"--archive={path}")
    assert (status, err) == (0, "")
    source = DataSettings("cifar100", "data")
    assert describe_full(FullData(source)).class_names[60] == "plain"
    found = open_test(FullData(source)).read(np.arange(20))
    assert found.labels.tolist() == [60 + number % 20 for number in order_of(TEST, 20)]


@pytest.mark.parametrize("compression", ["gz", "xz", ""])
def test_an_archive_that_is_here_needs_no_network(blockqnn, offline, tmp_path, compression):
    path = tmp_path / "packed anew"
    path.write_bytes(tar_of(FILES, compression=compression))
    prepared(blockqnn, f"--archive={path}")
    check_images()
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("nested", [False, True])
def test_a_folder_with_the_unpacked_files_is_as_good(blockqnn, offline, tmp_path, nested):
    folder = tmp_path / "cifar-small" if nested else tmp_path
    folder.mkdir(exist_ok=True)
    for name, rows in FILES.items():
        rows.tofile(folder / name)
    prepared(blockqnn, f"--archive={tmp_path}")
    check_images()


def damaged(tmp_path):
    """Files that are not the archive, by what is said of them."""
    (tmp_path / "no.tar").write_bytes(b"this is text" * 100)
    (tmp_path / "half.tar.gz").write_bytes(CONTENT[: len(CONTENT) // 2])
    one = dict(FILES)
    del one["two.bin"]
    (tmp_path / "lacks.tar.gz").write_bytes(tar_of(one))
    (tmp_path / "longer.tar.gz").write_bytes(
        tar_of(FILES | {"two.bin": np.zeros((31, 3073), np.uint8)})
    )
    (tmp_path / "other.tar.gz").write_bytes(
        tar_of(FILES | {"two.bin": np.zeros((30, 3073), np.uint8)})
    )
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    return {
        "no.tar": "cannot be read",
        "half.tar.gz": "cannot be read",
        "lacks.tar.gz": "has no cifar-small/two.bin",
        "longer.tar.gz": "has another two.bin: wanted are 92,190 bytes",
        "other.tar.gz": "has another two.bin: its SHA-256 is",
        "empty": "cannot be read",
        "folder": "has no cifar-small/one.bin",
        "none": "No such file",
        "n" * 300: "File name too long",
    }


def test_what_is_not_the_archive_is_refused(blockqnn, offline, tmp_path):
    for name, said in damaged(tmp_path).items():
        err = refusal(blockqnn, f"--archive={tmp_path / name}")
        assert said in err
        assert "wanted is small.tar.gz from http" in err


def test_a_place_that_cannot_be_used_is_refused(blockqnn, offline, monkeypatch):
    pathlib.Path("data").write_text("a file")
    assert "Not a directory" in refusal(blockqnn) or "exists" in refusal(blockqnn)
    pathlib.Path("data").unlink()
    monkeypatch.setattr(
        command.shutil, "disk_usage", lambda _: dataclasses.make_dataclass("U", ["free"])(1000)
    )
    assert "needed are 0 MB" in refusal(blockqnn)


def test_an_unfinished_or_strange_folder_is_named(blockqnn, offline):
    pathlib.Path("data/cifar10/3.0.2").mkdir(parents=True)
    status, _, err = blockqnn("prepare", "cifar10", "--data_dir=data")
    assert status == 2
    assert "data/cifar10/3.0.2 exists and is no prepared data set" in err


def test_a_data_set_that_lacks_a_file_is_named(blockqnn, server):
    prepared(blockqnn)
    pathlib.Path("data/cifar10/3.0.2/cifar10-test.array_record-00000-of-00001").unlink()
    status, _, err = blockqnn("prepare", "cifar10", "--data_dir=data")
    assert status == 2
    assert "lacks cifar10-test.array_record" in err


def test_only_one_process_works_at_a_time(blockqnn, server):
    with command._working_in(pathlib.Path("data/cifar10/incomplete.blockqnn")):
        assert "Another process prepares data/cifar10" in refusal(blockqnn)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "CIFAR-10", "cifar10:3.0.2"])
def test_a_data_set_that_is_missing_names_the_command(blockqnn, dataset):
    status, out, err = blockqnn(
        "search", "--preset=cifar10_small", f"--dataset={dataset}", "--data_dir=my data"
    )
    name = "cifar100" if "100" in dataset else "cifar10"
    assert (status, out) == (2, "")
    assert f"blockqnn prepare {name} '--data_dir=my data'" in err


def test_other_data_sets_are_left_to_tfds(blockqnn):
    status, _, err = blockqnn("prepare", "mnist")
    assert status == 2
    assert "prepare knows cifar10 or cifar100, given 'mnist'" in err
    assert blockqnn("prepare", "cifar10", "--archive=a", "--url=b")[0] == 2


KILLED = """
import sys
from blockqnn.preparing import archives, records
from tests.blockqnn.preparing.small_archive import CONTENT, FILES, archive_of
archives.ARCHIVES["cifar10"] = archive_of(CONTENT, FILES)
real = records._example
def slow(archive, name, record):
    if name.startswith("test"):
        print("writing", flush=True)
        sys.stdin.read()
    return real(archive, name, record)
records._example = slow
from blockqnn.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGINT])
def test_what_was_killed_while_it_wrote_looks_unprepared(blockqnn, offline, tmp_path, ended_by):
    path = tmp_path / "here.tar.gz"
    path.write_bytes(CONTENT)
    arguments = ("prepare", "cifar10", "--data_dir=data", f"--archive={path}")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        for line in process.stdout:
            if line == "writing\n":
                break
        time.sleep(0.05)
        process.send_signal(ended_by)
        out = process.stdout.read()
        process.stdin.close()
    assert process.returncode == (-9 if ended_by == signal.SIGKILL else 130)
    if ended_by == signal.SIGINT:
        assert "Stopped; what has been fetched is kept, and the same command goes on." in out
    assert not pathlib.Path("data/cifar10/3.0.2").exists()
    assert blockqnn("search", "--dataset=cifar10", "--data_dir=data")[0] == 2
    prepared(blockqnn, f"--archive={path}")
    check_images()


def test_a_log_gets_a_line_now_and_then():
    stream, now = io.StringIO(), [0.0]
    report = Report(stream, "Fetching it", 200_000_000, "B", lambda: now[0])
    report.begin_at(100_000_000)
    for seconds, done in ((1, 101), (10, 110), (12, 112), (20, 120)):
        now[0] = float(seconds)
        report.at(done * 1_000_000)
    report.close()
    assert stream.getvalue().splitlines() == [
        "Fetching it, 200 MB ...",
        "Going on after 100 of 200 MB.",
        "110 of 200 MB, 1:30 left",
        "120 of 200 MB, 1:20 left",
    ]


@pytest.mark.parametrize("dataset", ARCHIVES)
def test_the_table_has_every_image_and_class(dataset):
    archive = ARCHIVES[dataset]
    assert (archive.images(TRAIN), archive.images(TEST)) == (50_000, 10_000)
    assert archive.classes == int(dataset.removeprefix("cifar"))
    for _, classes in archive.labels:
        assert len(set(classes)) == len(classes)
        assert list(classes) == sorted(classes)
    # What tensorflow-datasets checks.
    sums = pathlib.Path(tfds.__file__).parent / "url_checksums" / f"{dataset}.txt"
    if sums.is_file():
        url, size, sha256, _ = sums.read_text().split()
        assert (archive.url, archive.size, archive.sha256) == (url, int(size), sha256)


@needs_cifar
@pytest.mark.data
def test_the_order_and_the_sums_are_those_of_the_real_cifar10():
    source = tfds.data_source(
        "cifar10",
        data_dir=str(CIFAR),
        split="test",
        download=False,
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    found = source.__getitems__(list(range(10_000)))
    numbers = [int(example["id"].decode().removeprefix("test_")) for example in found]
    assert numbers == order_of(TEST, 10_000)
    from PIL import Image

    rows = np.empty((10_000, 3073), np.uint8)
    for number, example in zip(numbers, found, strict=True):
        rows[number, 0] = example["label"]
        image = Image.open(io.BytesIO(example["image"]))
        rows[number, 1:] = np.asarray(image).transpose(2, 0, 1).ravel()
    wanted = next(f.sha256 for f in ARCHIVES["cifar10"].files if f.split == TEST)
    assert hashlib.sha256(rows.tobytes()).hexdigest() == wanted
