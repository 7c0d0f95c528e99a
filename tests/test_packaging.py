"""The wheel: what it holds, and that it works where others have folders of the same names."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest

from tests.paths import ROOT

# What a wheel is made of; build folders of earlier wheels would leave their files in it.
SOURCES = ("agents", "blockqnn", "flags", "networks")
FILES = ("LICENSE", "README.md", "pyproject.toml", "requirements*.txt")
SHADOWS = (
    *("agents/__init__.py", "agents/q_learning.py", "flags.py", "settings.py"),
    *("networks/__init__.py", "networks/cost.py", "search/__init__.py"),
)


def on_disk(pattern):
    """Files of the packages by the names that they have once installed."""
    found = set()
    for source in SOURCES:
        for path in (ROOT / source).rglob(pattern):
            inside = path.relative_to(ROOT)
            # The links of a checkout, which some versions of Python follow here.
            if inside.parts[0] == "blockqnn" and inside.parts[1] in SOURCES:
                continue
            prefix = "" if inside.parts[0] == "blockqnn" else "blockqnn/"
            found.add(f"{prefix}{inside.as_posix()}")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, made of a copy of the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    for pattern in FILES:
        for path in ROOT.glob(pattern):
            shutil.copy(path, folder)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    made = ("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir=dist", ".")
    done = subprocess.run([*pip, *made], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = (folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def contents(wheel):
    """The names of the wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def interpreter(wheel, tmp_path_factory):
    """Python of a new environment that has the wheel, and from this one its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"),
            *("--python", python, "install", "--no-index", "--no-deps", wheel),
        ],
        check=True,
    )
    # A path in a .pth file brings packages, but not an editable installation of this project.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def run(interpreter, tmp_path):
    """Runs that Python in a folder whose modules have the names of ours and must not be used."""
    for name in SHADOWS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise RuntimeError('{name} of another project was imported')\n")
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}

    def run(*arguments):
        command = [interpreter, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_takes_one_name(contents):
    tops = {name.split("/")[0] for name in contents}
    (information,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"blockqnn", information}
    assert f"{information}/licenses/LICENSE" in contents


def test_the_wheel_has_the_modules_of_the_checkout_and_no_others(contents):
    assert {name for name in contents if name.endswith(".py")} == on_disk("*.py")


def test_every_folder_of_modules_is_a_package():
    modules = on_disk("*.py")
    folders = {name.rpartition("/")[0] for name in modules}
    assert {folder for folder in folders if f"{folder}/__init__.py" not in modules} == set()


def test_the_wheel_has_presets_assets_tables_and_the_mark_of_types(contents):
    presets, assets = on_disk("*.flags"), {n for n in on_disk("*") if "/assets/" in n}
    tables = on_disk("*.json")
    assert presets and assets and tables
    wanted = presets | assets | tables | {"blockqnn/py.typed"}
    beside = {n for n in contents if not n.endswith(".py") and n.startswith("blockqnn/")}
    assert beside == wanted


def test_modules_are_the_wheels_where_others_have_the_same_names(run, interpreter):
    program = (
        "import blockqnn.networks.cost, blockqnn.agents.q_learning, blockqnn.flags.search\n"
        "for module in (blockqnn, blockqnn.networks.cost, blockqnn.agents.q_learning,"
        " blockqnn.flags.search): print(module.__file__)"
    )
    home = interpreter.parent.parent
    files = [pathlib.Path(line) for line in run("-c", program).splitlines()]
    assert len(files) == 4
    assert all(file.is_relative_to(home) for file in files)


def test_the_command_line_works_where_others_have_the_same_names(run):
    assert "search" in run("-m", "blockqnn", "--help")


def test_a_search_works_where_others_have_the_same_names(run, tmp_path):
    # Its worker is a process of its own, which has to find the same modules.
    arguments = ("--preset=smoke", "--evaluator=dry", "--executor=local", "--run_dir=run")
    assert "Best blocks by reward" in run("-m", "blockqnn", "search", *arguments)
    assert (tmp_path / "run" / "store.sqlite").exists()


def test_the_installed_command_is_the_command_line(interpreter, tmp_path):
    command = interpreter.parent / "blockqnn"
    done = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "blockqnn VERB" in done.stdout
