"""The verb `explain`: what is printed, and the heat map as a file."""

import contextlib
import json
import re
import xml.etree.ElementTree as ET

import pytest

from blockqnn.inspection.explanation import read_knowledge
from blockqnn.inspection.heat_map import colour, in_text
from blockqnn.inspection.kinds import kind_values, kinds
from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.terminal import Colours, Terminal

NAMES = kinds(BlockSpace(3))
START = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-", "svg": b"<?xml"}


@pytest.fixture
def run(blockqnn):
    """The directory of a finished run."""
    blockqnn.search(
        *(
            "--preset=digits",
            "--agent=q_learning",
            "--run_dir=run",
            "--epsilon_schedule=1.0:6,0.1:3",
            "--alpha=0.3",
        ),
        *("--blocks_per_iteration=8", "--max_layers=3"),
    )
    return "run"


def explained(blockqnn, *arguments):
    status, out, err = blockqnn("explain", *arguments)
    assert (status, err) == (0, "")
    return out


def facts(blockqnn, *arguments):
    out = explained(blockqnn, *arguments, "--format=json")
    assert out.count("\n") == 1
    return json.loads(out)


def refused(blockqnn, *arguments):
    before = blockqnn.files()
    status, out, err = blockqnn("explain", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("blockqnn: ")
    assert blockqnn.files() == before
    return err


def test_the_text_has_the_figures_of_the_json(blockqnn, run):
    found = facts(blockqnn, run)
    text = explained(blockqnn, run)
    assert text.startswith(DRY_NOTICE)
    assert found["dry"] is True
    assert f"after {found['iterations']} iterations" in text
    columns = r"^ +(\d+)  +([\d.]+)  +([\d.]+)  +([\d,]+)  +([\d,]+)  \((\S+)\) +(.+)"
    assert re.findall(columns, text, re.MULTILINE) == [
        (
            str(rank),
            f"{n['probability']:.4f}",
            f"{n['value']:.4f}",
            f"{n['visits']:,}",
            f"{n['trials']:,}",
            as_text(n["action"]),
            n["title"],
        )
        for rank, n in enumerate(found["next"], start=1)
    ]
    assert found["greedy"]["code"] in text.splitlines()
    trial = found["greedy"]["trial"]
    if trial and trial["status"] == "trained":
        assert f"It was trained, as trial {trial['number']}: " in text
        assert f"accuracy {trial['accuracy']:.2f} %, reward {trial['reward']:.2f}." in text
    for value in found["kind_values"]:
        assert f"{value['mean']:.3f}" in text
    assert max(map(len, text.splitlines())) <= 88


def as_text(layer):
    return ",".join(map(str, layer))


def test_a_prefix_is_explained_and_completed(blockqnn, run):
    prefix = "[(1,1,3,0,0)]"
    found = facts(blockqnn, run, prefix)
    assert found["prefix"] == {"code": prefix, "actions": [[1, 1, 3, 0, 0]]}
    assert found["completion"]["code"].startswith("[(1,1,3,0,0),(2,")
    assert found["greedy"] == facts(blockqnn, run)["greedy"]
    assert facts(blockqnn, run)["completion"] is None
    assert all(n["action"][0] == 2 for n in found["next"])
    text = explained(blockqnn, run, prefix)
    assert f"After {prefix}:" in text
    for code in (found["greedy"]["code"], found["completion"]["code"]):
        assert code in text.splitlines()


def test_the_top_is_listed_and_the_rest_counted(blockqnn, run):
    whole = facts(blockqnn, run, "--top=99")
    found = facts(blockqnn, run, "--top=2")
    assert found["next"] == whole["next"][:2]
    assert found["visited"] == len(whole["next"])
    assert found["visited"] + found["unvisited"]["count"] == 8, "first layers that are legal"
    text = explained(blockqnn, run, "--top=2")
    assert f"and {found['visited'] - 2} more that were visited" in text
    text = explained(blockqnn, run, "[(1,1,3,0,0)]")
    unvisited = facts(blockqnn, run, "[(1,1,3,0,0)]")["unvisited"]
    assert sum(unvisited["by_kind"].values()) == unvisited["count"] > 0
    assert f"{unvisited['count']} of 19 legal actions never visited" in text


def test_where_nothing_was_learned_the_text_says_so(blockqnn, run):
    blockqnn.search(
        *("--preset=smoke", "--run_dir=small", "--epsilon_schedule=1.0:1", "--max_layers=5"),
        *("--blocks_per_iteration=1", "--seed=3"),
    )
    written = blockqnn.trials("small")[0]["code"]
    other = next(c for c in ("[(1,1,5,0,0)]", "[(1,3,3,0,0)]") if not written.startswith(c[:-1]))
    text = explained(blockqnn, "small", other)
    assert "Nothing was learned here." in text
    assert "From position 2 on nothing was learned" in text
    assert "the agent draws one at random; here it is the first." in text
    assert "It has not been suggested in this run." in text


@pytest.mark.parametrize("suffix", START)
def test_the_heat_map_is_written_as_a_file_that_is_the_same_each_time(blockqnn, run, suffix):
    before = set(blockqnn.files())
    names = [f"a.{suffix}", f"B.{suffix.upper()}"]
    for name in names:
        assert f"Heat map written to {name}." in explained(blockqnn, run, f"--out={name}")
    contents = [(blockqnn.directory / name).read_bytes() for name in names]
    assert contents[0].startswith(START[suffix])
    assert contents[0] == contents[1]
    assert set(blockqnn.files()) - before == {blockqnn.directory / name for name in names}


def test_the_numbers_of_the_heat_map_are_text_in_the_svg(blockqnn, run):
    explained(blockqnn, run, "--out=map.svg", "--value=best", "--format=json")
    root = ET.fromstring((blockqnn.directory / "map.svg").read_text())
    words = {"".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")}
    values = kind_values(read_knowledge(blockqnn.directory / run))
    assert {f"{value.best:.2f}" for value in values} <= words
    assert set(NAMES) <= words


def test_the_heat_map_shows_the_mean_or_the_best(blockqnn, run):
    values = kind_values(read_knowledge(blockqnn.directory / run))
    for which in ("mean", "best"):
        text = explained(blockqnn, run, f"--value={which}")
        lines = in_text(values, NAMES, which, "updates", Terminal()).splitlines()
        assert "\n".join(lines) in text
        for position, line in enumerate(lines[2:], start=1):
            here = [v for v in values if v.position == position]
            best = max(getattr(v, which) for v in here)
            assert f"{best:.3f}*" in line
            assert line.split()[-1] == f"{sum(v.visits for v in here):,}"


def test_the_heat_map_has_colours_where_the_terminal_has_them(blockqnn, run):
    values = kind_values(read_knowledge(blockqnn.directory / run))
    plain = in_text(values, NAMES, "mean", "updates", Terminal())
    assert "\x1b" not in plain
    basic = in_text(values, NAMES, "mean", "updates", Terminal(80, Colours.BASIC))
    assert "[48;" not in basic
    for colours, start in ((Colours.INDEXED, "[48;5;"), (Colours.TRUE, "[48;2;")):
        text = in_text(values, NAMES, "mean", "updates", Terminal(80, colours))
        assert text.count(start) >= len(values)
        bare = re.sub(r"\x1b\[[\d;]*m", "", text)
        assert bare.startswith(plain), "numbers are always there"
        assert max(map(len, bare.splitlines())) <= 80


def test_colours_run_from_dark_to_bright():
    assert colour(0.0, 0.0, 1.0) == (68, 1, 84)
    assert colour(0.5, 0.0, 1.0) == (33, 145, 140)
    assert colour(1.0, 0.0, 1.0) == (253, 231, 37)
    # Halfway between the first two of five.
    assert colour(0.125, 0.0, 1.0) == (64, 42, 112)
    assert colour(3.0, 3.0, 3.0) == (33, 145, 140), "one value alone is in the middle"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no run in nowhere"),
        ([], "takes one RUN_DIR"),
        (["run", "[]", "[]"], "takes one RUN_DIR"),
        (["run", "[(1,1,3,0,0),(2,7,0,0,0)]"], "a prefix has no Terminal"),
        (["run", "[(1,1,3,0,0),(2,1,3,2,0)]"], "pred1 of Convolution is 2; allowed: 0 to 1"),
        (["run", "residual"], "starts with '['"),
        (["run", "[(1,1,3,0,0),(2,4,0,0,0),(3,4,0,0,0),(4,4,0,0,0)]"], "more than 3 layers"),
        (["run", "--out=map.gif"], ".svg or .png or .pdf"),
        (["run", "--out=map"], ".svg or .png or .pdf"),
        (["run", "--out=nowhere/map.svg"], "cannot be written"),
        (["run", "--out=run/lock/map.svg"], "cannot be written"),
        (["run", "[(1,1,3,1,0)]", "--out=map.svg"], "pred1 of Convolution is 1"),
        (["run", "--format=xml"], "text or json"),
        (["run", "--top=0"], "at least 1"),
        (["run", "--value=median"], "mean or best"),
        (["file"], "no run in file"),
    ],
)
def test_what_cannot_be_explained_is_refused(blockqnn, run, arguments, said):
    (blockqnn.directory / "file").touch()
    assert said in refused(blockqnn, *arguments)


AGENTS = ("q_learning_plus", "random", "evolution", "local_search")


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("space", ["nsc", "nasbench201"])
def test_every_agent_is_explained_in_every_space(blockqnn, agent, space):
    blockqnn.search(
        *("--preset=smoke", "--run_dir=run", f"--agent={agent}", f"--space={space}"),
        *("--epsilon_schedule=1.0:4", "--blocks_per_iteration=6"),
        *(["--population=8"] if agent == "evolution" else []),
        *(["--layout=nasbench201", "--filters=4,4,4"] if space != "nsc" else []),
    )
    found, text = facts(blockqnn, "run"), explained(blockqnn, "run")
    terms = found["agent"]
    for word in filter(None, (terms["value"], terms["visits"], terms["agent"][1:])):
        assert word in text
    whole = facts(blockqnn, "run", "--top=999")
    shares = sum(n["probability"] for n in whole["next"]) + whole["unvisited"]["probability"]
    assert shares == pytest.approx(1.0)
    assert sum(n["trials"] for n in whole["next"]) == len(blockqnn.trials("run"))
    assert found["kind_values"]
    code = found["greedy"]["code"]
    assert code in text.splitlines()
    assert max(len(line) for line in text.splitlines() if code not in line) <= 100
    prefix = f"{code[: code.index(')')]})]" if space == "nsc" else code[1 : code.index("~")]
    after = facts(blockqnn, "run", prefix)
    assert after["prefix"]["code"] == prefix
    assert all(n["action"][0] == 2 for n in after["next"])
    assert f"After {prefix}:" in explained(blockqnn, "run", prefix)
    assert "Heat map written to map.svg." in explained(blockqnn, "run", "--out=map.svg")
    if terms["value"]:
        rewards = [trial["reward"] for trial in blockqnn.trials("run")]
        best = max(reward for reward in rewards if reward is not None)
        assert found["greedy"]["actions"][0]["value"] == pytest.approx(best / 100)
        assert found["greedy"]["trial"]["reward"] == pytest.approx(best)
        assert after["completion"]["code"] == found["greedy"]["code"]


def test_a_predictor_leaves_the_explanation_to_its_agent(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=run", "--agent=evolution", "--predictor=forest")
    found = facts(blockqnn, "run")
    assert found["agent"]["agent"] == "regularised evolution behind a predictor"
    assert "the predictor takes one of" in " ".join(explained(blockqnn, "run").split())


@pytest.mark.parametrize(
    "prefix", ["nor_conv_5x5", "[(1,4,0,0,0)]", "none,none,none,none,none,none"]
)
def test_what_is_no_beginning_of_a_cell_is_refused(blockqnn, prefix):
    blockqnn.search(
        *("--preset=smoke", "--run_dir=run", "--space=nasbench201", "--layout=nasbench201"),
        "--filters=4,4,4",
    )
    refused(blockqnn, "run", prefix)


@pytest.fixture
def driver(blockqnn, run):
    """The store of the run, open as a search has it."""
    with contextlib.closing(Store.create_or_open(blockqnn.directory / run / FILE_NAME)) as store:
        yield store._connection


def test_a_run_in_its_first_iteration_is_refused(blockqnn, run, driver):
    driver.execute("DELETE FROM agent")
    assert "learned nothing yet" in refused(blockqnn, run)


def test_a_store_of_a_newer_schema_or_with_other_things_in_it_is_refused(blockqnn, run, driver):
    driver.execute("UPDATE agent SET value = '{' WHERE name = 'iteration'")
    assert "cannot be read: iteration in agent: " in refused(blockqnn, run)
    driver.execute("PRAGMA user_version=9")
    assert "version 9" in refused(blockqnn, run)


def test_a_file_of_something_else_is_refused(blockqnn, run):
    (blockqnn.directory / run / FILE_NAME).write_text("mine" * 1000)
    assert "is not a store" in refused(blockqnn, run)
