"""An agent is a module and a line of the table: here, one that is defined in this file."""

import dataclasses
import json
import math

import pytest

from blockqnn.agents.exploration import BY_TYPE
from blockqnn.agents.options import AgentSettings, option, told
from blockqnn.agents.random_search import RandomSearch
from blockqnn.agents.registry import AGENTS, AgentEntry
from blockqnn.contests.contestants import parse_contestant
from blockqnn.flags.search import parse
from blockqnn.inspection.recorded_agent import config_of
from blockqnn.runs.run_record import read_run


@dataclasses.dataclass(frozen=True)
class StubbornConfig(AgentSettings):
    """Settings of an agent that says everything several times."""

    times: int = dataclasses.field(
        default=2, metadata=option("times", "how often a block is said", least=1)
    )
    courage: float = dataclasses.field(
        default=0.5, metadata=option("courage", "a share that is used for nothing", least=0, most=1)
    )
    loud: bool = dataclasses.field(default=False, metadata=option("loud", "say it in capitals"))
    length: int = dataclasses.field(default=7, metadata=told("episodes"))
    exploration: str = dataclasses.field(default=BY_TYPE, metadata=told("exploration"))


class Stubborn(RandomSearch):
    """The agent: a random block, `times` times; it learns and explains itself as its parent."""

    def suggest(self, count):
        """See `Agent.suggest`."""
        blocks = super().suggest(math.ceil(count / self._config.times))
        return [block for block in blocks for _ in range(self._config.times)][:count]


@pytest.fixture(autouse=True)
def stubborn(monkeypatch):
    """The one line."""
    monkeypatch.setitem(AGENTS, "stubborn", AgentEntry(StubbornConfig, Stubborn, "never tired"))


def test_it_has_a_group_in_the_help_of_search_and_a_name_in_that_of_compare(blockqnn):
    out = blockqnn("search", "--help")[1]
    group = out[out.index("Agent stubborn (never tired):") :]
    assert group.index("--times") < group.index("--courage") < group.index("--[no]loud")
    assert "how often a block is said (default: 2)" in group
    assert "ppo|stubborn: who suggests blocks" in " ".join(out.split()).replace(" | ", "|")
    assert "ppo, stubborn" in " ".join(blockqnn("compare", "--help")[1].split())


def test_its_flags_and_the_search_reach_its_settings():
    words = ["--preset=smoke", "--evaluator=dry", "--agent=stubborn", "--times=3", "--loud"]
    assert parse(words)[0].agent == StubbornConfig(3, 0.5, True, 4, "uniform")


def test_it_searches_and_is_kept(blockqnn):
    flags = ("--preset=smoke", "--agent=stubborn", "--times=4", "--run_dir=run")
    blockqnn.search(*flags, "--blocks_per_iteration=4", "--epsilon_schedule=1:1", "--max_layers=9")
    codes = [trial["code"] for trial in blockqnn.trials("run") if trial["status"] != "infeasible"]
    assert len(codes) == 4
    assert len(set(codes)) == 1
    flags = read_run(blockqnn.directory / "run").flags
    assert (flags["agent"], flags["times"], flags["courage"]) == ("stubborn", "4", "0.5")


def test_its_run_is_explained_as_any_other(blockqnn):
    blockqnn.search("--preset=smoke", "--agent=stubborn", "--times=4", "--run_dir=run")
    status, out, err = blockqnn("explain", "run", "--format=json")
    assert (status, err) == (0, "")
    assert json.loads(out)
    agent = config_of(read_run(blockqnn.directory / "run").flags)
    assert agent == StubbornConfig(4, 0.5, False, 4, "uniform")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--agent=stubborn", "--times=0"), "allowed: an integer of at least 1"),
        (("--agent=stubborn", "--courage=2"), "of at least 0 and of at most 1"),
        (("--times=3",), "--times belongs to stubborn; this search's agent is q_learning."),
        (("--agent=stubborn", "--alpha=0.7"), "--alpha belongs to q_learning; this search's agent"),
    ],
)
def test_its_flags_are_refused_like_any_others(blockqnn, flags, reason):
    status, out, err = blockqnn("search", "--evaluator=dry", "--preset=smoke", *flags)
    assert (status, out) == (2, "")
    assert reason in err
    assert blockqnn.files() == []


def test_it_competes(blockqnn):
    (blockqnn.directory / "own.flags").write_text("--executor=inline\n")
    status, out, err = blockqnn(
        "compare", "--evaluator=dry", "--preset=smoke", "--search_flags=own.flags", "--seeds=2",
        "--budgets=3", "--agents=random,stubborn:times=3", "--out_dir=contest",
    )  # fmt: skip
    assert status == 0, err
    assert "stubborn:times=3, seed 1: 3 evaluations" in err
    assert "stubborn:times=3" in out


def test_its_settings_in_a_contest_are_its_own():
    contestant = parse_contestant("stubborn:courage=0.75")
    assert contestant.config(60) == StubbornConfig(2, 0.75, False, 60, "uniform")
    assert contestant.is_sized
    assert contestant.batch(60) == 1
    search = parse(["--preset=digits", "--evaluator=dry", "--agent=stubborn", "--times=5"])[0]
    assert contestant.config(60, search) == StubbornConfig(5, 0.75, False, 60, "by_type")
