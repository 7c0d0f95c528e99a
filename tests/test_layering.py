"""The rules of the design that keep the packages apart, read off the imports."""

import ast
import subprocess
import sys

import pytest

from tests.paths import ROOT

PACKAGES = ("agents", "blockqnn", "flags", "networks")
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).glob("**/*.py"))


def imports(path):
    """The dotted names that a module imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages_imported(path):
    """The first names of what a module imports; of ours, the names of the packages."""
    found = set()
    for name in imports(path):
        first, _, rest = name.partition(".")
        second = rest.partition(".")[0]
        found.add(second if first == "blockqnn" and second in PACKAGES else first)
    return found


def identified(paths):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def test_all_packages_have_modules():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("path", identified(p for p in MODULES if p.parent.name == "networks"))
def test_networks_import_nothing_else_of_the_project(path):
    assert packages_imported(path) & set(PACKAGES) <= {"networks"}


@pytest.mark.parametrize("path", identified(p for p in MODULES if p.parent.name == "agents"))
def test_agents_import_nothing_else_of_the_project_and_no_jax(path):
    found = packages_imported(path)
    assert found & set(PACKAGES) <= {"agents"}
    assert not found & {"jax", "flax", "optax"}


@pytest.mark.parametrize("path", identified(p for p in MODULES if p.parent.name != "flags"))
def test_only_flags_import_absl(path):
    assert "absl" not in packages_imported(path)


def test_only_the_command_line_imports_flags():
    importers = [p for p in MODULES if p.parent.name != "flags" and "flags" in packages_imported(p)]
    assert importers == [ROOT / "blockqnn" / "__main__.py"]


def test_nothing_imports_the_tests():
    assert not [path for path in MODULES if "tests" in packages_imported(path)]


@pytest.mark.parametrize("path", identified(MODULES))
def test_nothing_runs_text_or_unpickles(path):
    assert not packages_imported(path) & {"pickle", "dill", "cloudpickle", "marshal", "shelve"}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec", "compile", "__import__"}


def test_the_driver_imports_no_jax():
    program = (
        "import sys, blockqnn.__main__;"
        "assert not {'jax', 'jaxlib', 'flax', 'optax', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_search_in_worker_processes_brings_no_jax_into_the_driver(tmp_path):
    arguments = ["search", "--preset=smoke", "--evaluator=dry", "--executor=local"]
    program = (
        "import sys\n"
        "from blockqnn.__main__ import main\n"
        f"assert main({[*arguments, f'--run_dir={tmp_path}']!r}) == 0\n"
        "assert not {'jax', 'jaxlib', 'flax', 'optax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
