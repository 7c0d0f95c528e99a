"""The rules of the design that keep the rooms apart, read off the imports."""

import ast
import functools
import graphlib
import os
import re
import subprocess
import sys

import pytest

from tests.paths import ROOT

PACKAGES = ("agents", "blockqnn", "flags", "networks")

GROUPS = {
    # Words that the rooms above share.
    "ground": (
        "errors",
        "heading",
        "language_settings",
        "recipe_settings",
        "measure",
        "invocation",
        "standard_streams",
        "listing",
        "reward",
        "settings",
        "mixture_settings",
        "shared_work",
        "supernet_settings",
        "worker_settings",
        "terminal",
        "trial",
    ),
    # Of the networks what begins with a design; the rest is about any network.
    "child networks": ("networks.block", "networks.child", "networks.cost", "networks.sizing"),
    # What gathers from everywhere: `import blockqnn`, and the environment for agents from outside.
    "interface": ("", "environment", "python_search", "trained_networks"),
}
"""Modules, without `blockqnn.`, that are a room although they share a folder with others."""

ROOMS = {
    # Who designs, and what is designed: they know nothing of the system around.
    "agents": "",
    "networks": "",
    "networks.spaces": "networks",
    "child networks": "networks.spaces, networks",
    # From a design to its accuracy.
    "ground": "child networks, networks.spaces, networks, agents",
    "data": "ground",
    "preparing": "data, ground",
    "children": "data, ground, child networks, networks.spaces, networks",
    "supernets": "children, ground, networks.spaces, networks",
    "evaluation": "supernets, children, data, ground, networks.spaces, networks",
    "workers": "evaluation, ground, networks.spaces, networks",
    # A search, and what it leaves on disk.
    "runs": "workers, ground, networks.spaces, networks, agents",
    "drawing": "ground, networks",
    "tensorboard": "drawing, runs, ground, networks.spaces, networks",
    "searching": (
        "tensorboard, runs, workers, evaluation, supernets, data, ground, child networks, "
        "networks.spaces, networks, agents"
    ),
    # What is done with runs and with designs.
    "inspection": (
        "drawing, runs, workers, ground, child networks, networks.spaces, networks, agents"
    ),
    "calibration": "runs, workers, evaluation, ground, networks.spaces, agents",
    "finals": (
        "inspection, calibration, searching, runs, workers, evaluation, supernets, data, ground, "
        "networks.spaces"
    ),
    "report": ("inspection, calibration, drawing, runs, ground, networks.spaces, networks, agents"),
    "full_training": (
        "inspection, runs, workers, evaluation, children, data, ground, child networks, "
        "networks.spaces, networks"
    ),
    "contests": (
        "full_training, finals, searching, runs, workers, evaluation, supernets, ground, "
        "networks.spaces, networks, agents"
    ),
    "export": (
        "inspection, drawing, runs, children, ground, child networks, networks.spaces, networks"
    ),
    "bench": (
        "inspection, workers, supernets, children, data, ground, child networks, "
        "networks.spaces, networks"
    ),
    # How all of it is reached.
    "flags": (
        "bench, export, full_training, contests, report, finals, calibration, inspection, "
        "preparing, searching, tensorboard, runs, workers, evaluation, data, ground, "
        "child networks, networks.spaces, networks, agents"
    ),
    "interface": (
        "flags, finals, inspection, searching, runs, drawing, evaluation, children, data, "
        "ground, child networks, networks.spaces, networks"
    ),
    "__main__": "flags, ground, networks.spaces, networks",
}
"""Which rooms each room imports, from the ground up: one that is missing here it must not know."""

BELOW_INSPECTION = list(ROOMS)[: list(ROOMS).index("inspection")]


def modules():
    """The modules of the project by their names as installed, without `blockqnn.`."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[0] == "blockqnn":
                parts = parts[1:]
                # The links of a checkout, which some versions of Python follow here.
                if parts[0] in PACKAGES:
                    continue
            if parts[-1] == "__init__":
                parts = parts[:-1]
            found[".".join(parts)] = path
    return dict(sorted(found.items()))


MODULES = modules()


def room_of(module):
    """The room of a module, the innermost if one is inside another."""
    for room, members in GROUPS.items():
        if module in members:
            return room
    name = module
    while name not in ROOMS:
        assert name, f"{module} is in no room; what may it import?"
        name = name.rpartition(".")[0]
    return name


@functools.cache
def imported(module):
    """The dotted names that a module imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = inner.removeprefix("blockqnn.") in MODULES
                names.add(inner if is_module else node.module)
    return names


def distributions_imported(module):
    """The first names of what a module imports."""
    return {name.partition(".")[0] for name in imported(module)}


def rooms_imported(module):
    """The rooms that a module imports, but for its own."""
    own = [name for name in imported(module) if name.partition(".")[0] == "blockqnn"]
    rooms = {room_of(name.removeprefix("blockqnn").removeprefix(".")) for name in own}
    return rooms - {room_of(module)}


def allowed(room):
    """The rooms that the table lets a room import."""
    return set(filter(None, ROOMS[room].split(", ")))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module):
    assert rooms_imported(module) <= allowed(room_of(module))


@pytest.mark.parametrize("room", ROOMS)
def test_the_table_allows_nothing_that_is_not_needed(room):
    needed = {r for m in MODULES if room_of(m) == room for r in rooms_imported(m)}
    assert allowed(room) - needed == set(), "strike what is needed no more"


def test_the_table_has_every_folder_and_nothing_else():
    assert {room_of(module) for module in MODULES} == set(ROOMS)
    assert {m for members in GROUPS.values() for m in members} <= set(MODULES)
    folders = {m.partition(".")[0] for m, p in MODULES.items() if p.name == "__init__.py" and m}
    assert folders <= set(ROOMS)


def test_rooms_stand_on_one_another_without_circles():
    above = [(a, b) for place, a in enumerate(ROOMS) for b in allowed(a) & set(list(ROOMS)[place:])]
    assert not above, "a room imports none that the table has further up"
    # Should the order ever be given up, there must still be one.
    graphlib.TopologicalSorter({room: allowed(room) for room in ROOMS}).prepare()


def test_agents_and_networks_import_nothing_else_of_the_project():
    assert allowed("agents") == allowed("networks") == set()
    assert allowed("networks.spaces") | allowed("child networks") <= {"networks", "networks.spaces"}


def test_nothing_below_imports_inspection():
    assert not [room for room in BELOW_INSPECTION if "inspection" in allowed(room)]


def test_only_the_command_line_and_its_like_in_python_import_flags():
    assert [room for room in ROOMS if "flags" in allowed(room)] == [
        # A search from Python has the flags of the command, by their names.
        "interface",
        "__main__",
    ]


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) != "flags"])
def test_only_flags_import_absl(module):
    assert "absl" not in distributions_imported(module)


CONTROLLERS = {"controller", "cpu_device", "matrix_gradients", "policy", "policy_updates"}
"""Modules of the agents that compute with JAX, which a search imports for such an agent alone."""


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) == "agents"])
def test_agents_import_no_jax_but_for_controllers(module):
    known = module.removeprefix("agents.") in CONTROLLERS
    assert known == bool(distributions_imported(module) & {"jax", "flax", "optax"})


def test_a_search_with_a_controller_begins_no_platform_but_the_cpu(tmp_path):
    arguments = ["search", "--preset=smoke", "--evaluator=dry", "--agent=reinforce"]
    arguments += ["--executor=local", f"--run_dir={tmp_path}"]
    program = (
        "import sys\n"
        "from blockqnn.__main__ import main\n"
        f"assert main({arguments!r}) == 0\n"
        "import jax\n"
        "assert jax.config.jax_platforms == 'cpu'\n"
        "assert not {'flax', 'tensorflow'} & set(sys.modules)\n"
    )
    # A platform that is not there would be an error as soon as JAX looked for it.
    environment = dict(os.environ, JAX_PLATFORMS="tpu")
    run = [sys.executable, "-c", program]
    subprocess.run(run, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=environment)


def test_nothing_imports_the_tests_or_by_a_name_that_is_not_installed():
    for module in MODULES:
        found = distributions_imported(module)
        assert not found & {"tests", "benchmarks", *PACKAGES} - {"blockqnn"}, module


@pytest.mark.parametrize("module", MODULES)
def test_nothing_runs_text_or_unpickles(module):
    unpickling = {"pickle", "dill", "cloudpickle", "marshal", "shelve"}
    assert not distributions_imported(module) & unpickling
    called = {
        node.func.id
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize("module", [m for m, p in MODULES.items() if p.name == "__init__.py"])
def test_a_room_says_what_it_holds_and_what_it_must_not_know(module):
    text = ast.get_docstring(ast.parse(MODULES[module].read_text())) or ""
    assert len(re.findall(r"\S[.?!](?=\s|$)", text)) >= 2, "two sentences at least"


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


def test_no_module_is_longer_than_one_reads_at_a_time():
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: length for name, length in lengths.items() if length > 300}


def test_no_module_of_the_tests_is_longer_than_420_lines():
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    assert not [path for path in paths if len(path.read_text().splitlines()) > 420]
