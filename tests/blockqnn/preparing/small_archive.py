"""A small archive of CIFAR's form, and a server on the loopback interface that has it."""

import contextlib
import hashlib
import http.server
import io
import re
import tarfile
import threading

import numpy as np

from blockqnn.preparing.archives import ARCHIVES, TEST, TRAIN, Archive, ArchivedFile

IMAGES = {"one.bin": 30, "two.bin": 30, "test.bin": 20}
FOLDER = "cifar-small"


def records(labels=1, classes=10):
    """Random records for each file of the archive; image i has the label i modulo classes."""
    random = np.random.default_rng(5)
    found = {}
    for name, count in IMAGES.items():
        found[name] = random.integers(0, 256, (count, labels + 3072), np.uint8)
        found[name][:, :labels] = (np.arange(count) % classes)[:, None]
    return found


def tar_of(files, folder=FOLDER, compression="gz"):
    """A tar file with other members beside, some of which a careless reader would trip over."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=f"w:{compression}") as tar:
        for name, content in {"../../escaped": b"x", f"{folder}/readme.html": b"y"}.items():
            _add(tar, name, content)
        link = tarfile.TarInfo(f"{folder}/one.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name, content in files.items():
            _add(tar, f"{folder}/{name}", content.tobytes())
    return target.getvalue()


def _add(tar, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def archive_of(content, files, url="http://127.0.0.1:1/small.tar.gz", dataset="cifar10"):
    """What the table of archives would say of the small one."""
    return Archive(
        dataset=dataset,
        title="Small",
        version="3.0.2",
        module="tensorflow_datasets.image_classification.cifar",
        url=url,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        folder=FOLDER,
        files=tuple(
            ArchivedFile(
                name,
                TEST if name == "test.bin" else TRAIN,
                len(rows),
                hashlib.sha256(rows.tobytes()).hexdigest(),
            )
            for name, rows in files.items()
        ),
        labels=ARCHIVES[dataset].labels,
    )


class Server:
    """Answers requests for one file, as servers do and as they should not.

    Attributes:
        content: of the file.
        ranges: whether it goes on where it is asked to.
        tag: of the version that it has.
        breaks: after how many bytes it breaks off, for each request in turn; None for never.
        status: that it answers with instead; 0 for none.
        to: the address that it sends to instead; empty for none.
        asked: the `Range` of each request, or None.
    """

    def __init__(self, content):
        self.content, self.ranges, self.tag = content, True, '"a"'
        self.breaks, self.status, self.to, self.asked = [], 0, "", []
        self.url = ""


@contextlib.contextmanager
def serving(content):
    """Serves a file on a free port of the loopback interface."""
    served = Server(content)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers["Range"]
            served.asked.append(wanted)
            if served.status or (served.to and self.path != "/there"):
                self.send_response(served.status or 302)
                self.send_header("Location", served.to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            begin, total = 0, len(served.content)
            same = self.headers["If-Range"] in (None, served.tag)
            if wanted and served.ranges and same:
                begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
            else:
                self.send_response(200)
            self.send_header("ETag", served.tag)
            self.send_header("Content-Length", str(total - begin))
            self.end_headers()
            stop = served.breaks.pop(0) if served.breaks else None
            rest = served.content[begin:]
            with contextlib.suppress(OSError):
                self.wfile.write(rest if stop is None else rest[:stop])
            self.close_connection = True

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        served.url = f"http://127.0.0.1:{server.server_port}/small.tar.gz"
        yield served
        server.shutdown()


FILES = records()
CONTENT = tar_of(FILES)
"""Of the archive as it is served."""
