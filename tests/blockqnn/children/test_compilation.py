"""The meter of compiling and the cache on disk, in processes of their own."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import jaxlib
import pytest

from blockqnn.children.compilation import (
    CompilationTimes,
    compilation_times,
    default_cache_directory,
    prune,
)

COMPILE = """
import dataclasses, json, sys
import jax, jax.numpy as jnp
from blockqnn.children.compilation import compilation_times, use_cache
for directory in sys.argv[1:]:
    print(use_cache(None if directory == "default" else __import__("pathlib").Path(directory)))
    before = compilation_times()
    jax.jit(lambda x: jnp.sin(x) @ x).lower(jax.ShapeDtypeStruct((9, 9), "float32")).compile()
    print(json.dumps(dataclasses.asdict(compilation_times() - before)))
"""


def names(directory):
    return sorted(path.name for path in pathlib.Path(directory).iterdir())


@pytest.fixture
def compiled(tmp_path):
    """Compiles one program in a new process, once for each directory."""

    def run(*directories, **environment):
        environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "home")} | environment
        command = [sys.executable, "-c", COMPILE, *map(str, directories)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        return [
            (directory, CompilationTimes(**json.loads(times)))
            for directory, times in zip(lines[::2], lines[1::2], strict=True)
        ]

    return run


def test_a_small_program_is_kept_for_the_next_process(compiled):
    ((directory, cold),) = compiled("default")
    assert (cold.hits, cold.misses) == (0, 1)
    assert cold.lower_seconds > 0 and cold.compile_seconds > 0
    ((again, warm),) = compiled("default")
    assert again == directory
    assert (warm.hits, warm.misses) == (1, 0)
    assert warm.saved_seconds != 0


def test_each_directory_is_a_cache_of_its_own(compiled, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    times = [times for _, times in compiled(first, second)]
    assert [(t.hits, t.misses) for t in times] == [(0, 1), (0, 1)]
    assert [t.hits for _, t in compiled(second)] == [1]


def test_the_environments_cache_is_used_as_it_is(compiled, tmp_path):
    theirs = str(tmp_path / "theirs")
    ((directory, _),) = compiled(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=theirs)
    assert directory == theirs
    assert names(theirs) and not (tmp_path / "ours").exists()


def test_what_cannot_be_written_to_is_no_cache(compiled, tmp_path):
    (tmp_path / "file").write_text("")
    ((directory, times),) = compiled(tmp_path / "file" / "cache")
    assert directory == "None"
    assert (times.hits, times.misses) == (0, 0)


def test_the_directory_names_user_jaxlib_backend_and_instruction_set(tmp_path):
    directory = default_cache_directory({"XDG_CACHE_HOME": str(tmp_path)})
    assert directory.parent == tmp_path / "blockqnn"
    assert directory.name.startswith(f"jaxlib-{jaxlib.__version__}-{jax.default_backend()}-")
    assert default_cache_directory({}).parts[-3:-1] == (".cache", "blockqnn")


def test_pruning_deletes_what_was_read_longest_ago_until_the_rest_fits(tmp_path):
    for age, name in enumerate("abcdefghij"):
        path = tmp_path / name
        path.write_bytes(b"x" * 10)
        os.utime(path, (1000.0 - age, 1000.0 - age))
    assert prune(tmp_path, 100) == 0
    assert prune(tmp_path, 50) == 6
    assert names(tmp_path) == ["a", "b", "c", "d"]


def test_a_file_read_lately_stays_although_it_was_written_first(tmp_path):
    for name, read, written in (("old", 2000.0, 1.0), ("new", 1000.0, 1000.0)):
        (tmp_path / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / name, (read, written))
    assert prune(tmp_path, 12) == 1
    assert names(tmp_path) == ["old"]


def test_times_are_those_of_what_was_compiled_between():
    before = compilation_times()
    assert compilation_times() - before == CompilationTimes()
