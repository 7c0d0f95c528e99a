"""Contests whose children and supernets are trained on a real Ray cluster."""

import json

import pytest

from tests.blockqnn.contests.test_method_command import BASE, FLAGS, SMALL, ground  # noqa: F401
from tests.blockqnn.ray_nodes import ENVIRONMENT, cluster, needs_ray
from tests.paths import ROOT


@pytest.fixture(scope="module")
def two_cpus():
    with pytest.MonkeyPatch.context() as patch:
        # Nodes find the package where the command does not run.
        patch.setenv("PYTHONPATH", str(ROOT))
        with cluster(cpus=2) as found:
            yield found


def judged(out):
    """What does not hang on how fast a machine is."""
    (judge,) = json.loads(out)["judges"]
    return [(row["method"], row["mean"], row["chosen"]) for row in judge["rows"]]


@needs_ray
@pytest.mark.long
def test_methods_choose_on_ray_what_they_choose_here(ground, two_cpus, monkeypatch):  # noqa: F811
    """Agents with children of their own, and a supernet in parts, on both."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (ground.directory / "own.flags").write_text(FLAGS.replace("--executor=inline\n", ""))
    flags = (*BASE, "--evaluator=train", "--budgets=3", "--seeds=1", "--format=json")
    flags += (f"--methods=random,local_search,few_shot{SMALL}",)
    status, here, err = ground(*flags, "--workers=1")
    assert status == 0, err
    ray = ("--out_dir=ray", "--executor=ray", f"--ray_address={two_cpus.address}", "--workers=2")
    status, there, err = ground(*flags, *ray)
    assert status == 0, err
    assert judged(there) == judged(here)
    assert "ray.log" in {path.name for path in (ground.directory / "ray").rglob("*.log")}


@needs_ray
def test_agents_have_their_children_on_ray(blockqnn, two_cpus, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    flags = ("compare", "--preset=smoke", "--evaluator=dry", "--agents=random,evolution")
    flags += ("--budgets=4", "--seeds=1", "--format=json")
    ray = ("--executor=ray", f"--ray_address={two_cpus.address}", "--workers=2")
    status, there, err = blockqnn(*flags, *ray, "--out_dir=ray")
    assert status == 0, err
    status, here, err = blockqnn(*flags, "--executor=inline", "--out_dir=here")
    assert status == 0, err
    rows = [[(r["agent"], r["reward"]) for r in json.loads(out)["rows"]] for out in (here, there)]
    assert rows[0] == rows[1]
    assert (blockqnn.directory / "ray/ray.log").exists()


@pytest.mark.parametrize("flag", ["--executor=ray", "--ray_address=local", "--executor=inline"])
def test_a_table_that_agents_look_up_needs_no_executor(ground, flag):  # noqa: F811
    table = ("--table=t.csv", "--search_column=early", "--judge_column=late")
    status, _, err = ground("compare", *table, "--budgets=10", "--seeds=2", flag)
    name = flag.partition("=")[0]
    assert (status, err) == (
        2,
        f"blockqnn: {name} says where children are trained, and agents look a table up; give "
        "--evaluator=train, or leave it out.\n",
    )
