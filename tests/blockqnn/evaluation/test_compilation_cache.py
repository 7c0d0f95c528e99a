"""The cache of compiled programs: what one process compiled the next need not."""

import os
import subprocess
import sys

import jax
import pytest

from blockqnn.children import compilation
from blockqnn.errors import UserError
from tests.paths import ROOT


@pytest.fixture
def cached():
    """Trains children in a process of its own; returns each one's cache hits, and prunings."""
    program = """
import sys
from blockqnn.settings import WorkerSettings
from tests.blockqnn.small_searches import CONV3, job
from tests.blockqnn.evaluation.test_training import DATA, LAYOUT, WHOLE
from blockqnn.evaluation import training as train_evaluator
from blockqnn.children.compilation import compilation_times
from tests.paths import ROOT
train_evaluator.CHILDREN_BETWEEN_PRUNINGS = 2
pruned = []
train_evaluator.prune = lambda *arguments: pruned.append(arguments)
evaluator = train_evaluator.TrainEvaluator(
    DATA, WHOLE, LAYOUT, WorkerSettings(compilation_cache=sys.argv[1])
)
for number in range(4):
    before = compilation_times()
    evaluator.evaluate(job(number, CONV3), 0)
    print((compilation_times() - before).hits)
print(len(pruned))
"""

    def cached(flag, **environment):
        done = subprocess.run(
            [sys.executable, "-c", program, str(flag)],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        *hits, pruned = map(int, done.stdout.split())
        return hits, pruned

    return cached


def test_what_one_process_compiled_the_next_need_not(cached, tmp_path):
    own = {"XDG_CACHE_HOME": str(tmp_path / "user")}
    first, _ = cached(tmp_path / "given", **own)
    again, pruned = cached(tmp_path / "given", **own)
    assert first[0] == 0 < again[0]
    assert pruned == 2, "after every so many children"
    assert any((tmp_path / "given").iterdir())
    assert not (tmp_path / "user").exists()


def test_the_cache_is_the_users_by_default_and_can_be_switched_off(cached, tmp_path):
    own = {"XDG_CACHE_HOME": str(tmp_path / "user")}
    hits, pruned = cached("off", **own)
    assert (sum(hits), pruned) == (0, 0)
    assert not list(tmp_path.iterdir())
    cached("", **own)
    assert list((tmp_path / "user" / "blockqnn").iterdir())


def test_the_environments_cache_wins_and_is_not_pruned(cached, tmp_path):
    environment = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax"),
        "XDG_CACHE_HOME": str(tmp_path / "user"),
    }
    _, pruned = cached("off", **environment)
    assert pruned == 0
    assert [path.name for path in tmp_path.iterdir()] == ["jax"]


def test_a_cache_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        with pytest.raises(UserError, match=r"--compilation_cache .*file is no directory"):
            compilation.begin_cache(str(tmp_path / "file"))
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
