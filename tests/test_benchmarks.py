"""The benchmarks can at least be begun: what they import is there, and they say what they take."""

import ast
import importlib
import subprocess
import sys

import pytest

from tests.paths import ROOT

NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))


def test_one_process_can_import_them_all():
    program = ";".join(f"import benchmarks.{name}" for name in NAMES)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_answers_to_help(name, monkeypatch, capsys):
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    # `left_out` is another table of the same contest.
    arguments = () if name != "left_out" else (module.VARIANTS, name, module.__doc__)
    with pytest.raises(SystemExit) as ended:
        module.main(*arguments)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: python -m benchmarks.{name} ")
    assert module.__doc__.splitlines()[0] in out


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_explains_each_of_its_arguments(name):
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    adding = [
        c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "add_argument"
    ]
    assert all("help" in {keyword.arg for keyword in call.keywords} for call in adding)


def test_a_benchmark_refuses_what_it_does_not_know():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.signatures", "--childrn=5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--childrn=5" in done.stderr and "Traceback" not in done.stderr


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
