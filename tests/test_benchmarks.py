"""The benchmarks can at least be begun: what they import is there."""

import subprocess
import sys

from tests.paths import ROOT

NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))


def test_one_process_can_import_them_all():
    program = ";".join(f"import benchmarks.{name}" for name in NAMES)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_overhead_is_measured():
    flags = ("--executors=local", "--workers=1,2", "--seconds=0")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.overhead", *flags],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "local" in done.stdout
