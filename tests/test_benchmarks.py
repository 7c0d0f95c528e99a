"""The benchmarks can at least be begun: what they import is there, and they say what they take."""

import ast
import importlib
import re
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


def test_random_blocks_are_drawn_for_every_preset_that_has_some(monkeypatch, capsys):
    """Presets of other designs, and those that share weights, are passed over."""
    module = importlib.import_module("benchmarks.random_blocks")
    monkeypatch.setattr(sys, "argv", ["random_blocks", "2"])
    module.main()
    named = {line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert {"by_type", "uniform", "digits", "cifar10_cpu", "cifar100_paper", "smoke"} <= named
    assert not {"own", "nasnet", "darts", "enas_micro"} & named


def documented_tables():
    """The commands of the documents that print a table of what is kept in the repository."""
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    found = re.findall(r"^python -m benchmarks\.(\w+) (.*--only_table[^#\n]*)", text, re.MULTILINE)
    # The table of a benchmark that the user fetches is not in the repository.
    return sorted({(name, words.strip()) for name, words in found if ".csv.gz" not in words})


@pytest.mark.parametrize(("name", "words"), documented_tables())
def test_a_table_of_the_documents_is_made_of_what_is_kept(name, words, monkeypatch, capsys):
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", [name, *words.split()])
    module.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) >= 3 and sum(any(c.isdigit() for c in line) for line in lines) >= 2
