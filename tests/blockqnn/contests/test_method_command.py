"""The command `compare --methods`: real supernets and children, small, killed and continued."""

import json
import signal
import subprocess
import sys

import pytest

from blockqnn.agents.registry import AGENTS
from blockqnn.contests import method_command, method_play
from blockqnn.contests.metered import SUPERNET, read_spent
from blockqnn.flags.own import recorded_flags
from blockqnn.runs.run_record import read_run
from blockqnn.workers.choice import make_executor
from tests.blockqnn.evaluation.test_table import all_cells
from tests.blockqnn.executing import wait_for

FLAGS = """\
--dataset=synthetic:8x8x1:3:120
--executor=inline
--filters=2
--supernet_epochs=2
--supernet_batch_size=16
--recalibration_batches=1
--split_epochs=1
--epochs=1
--batch_size=32
--blocks_per_iteration=2
"""
BASE = ("compare", "--preset=ground_digits", "--search_flags=own.flags", "--table=t.csv")
BASE += ("--search_column=early", "--judge_column=late", "--out_dir=out")
SMALL = ":blocks_per_iteration=3"


@pytest.fixture
def ground(blockqnn):
    """A directory with a table of all cells, judged by how many convolutions they have."""
    lines = all_cells().splitlines()
    rows = [f"{line},{10 + line.count('nor_conv')}" for line in lines[1:]]
    (blockqnn.directory / "t.csv").write_text("\n".join([f"{lines[0]},late", *rows]))
    (blockqnn.directory / "own.flags").write_text(FLAGS)
    return blockqnn


def shrink(table):
    """Leaves one design in a table."""
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[-1]]))


def test_agents_that_look_up_and_supernets_that_are_trained(ground):
    methods = f"--methods=random,evolution,one_shot{SMALL},few_shot{SMALL}"
    flags = (*BASE, methods, "--budgets=10,20", "--seeds=2")
    flags += ("--seconds=1000", "--evaluation_seconds=30")
    status, out, err = ground(*flags, "--format=json", "--out=curves.svg")
    assert status == 0, err
    facts = json.loads(out)
    (judged,) = facts["judges"]
    rows = {(r["method"], r["kind"], r["amount"]): r for r in judged["rows"]}
    assert rows["random", "evaluations", 10]["chosen"] == 2
    # Of 1,000 seconds an agent has 33 evaluations of 30.
    at = [row["mean"] for key, row in rows.items() if key[0] == "random"]
    assert at == sorted(at)
    assert [c["evaluations"] for c in facts["costs"]] == [34, 34, 0, 0]
    few = rows[f"few_shot{SMALL}", "seconds", 1000]
    assert (few["chosen"], rows[f"few_shot{SMALL}", "evaluations", 10]["chosen"]) == (2, 0)
    assert {row["name"]: row["designs"] for row in judged["without_search"]} == {
        "a random choice": 15625,
        "most parameters": 1,
    }
    assert "<svg" in (ground.directory / "curves.svg").read_text()
    # One supernet for both, that counts for both; the parts are few_shot's alone.
    spent = [
        read_spent(ground.directory / "out/runs" / name / "spent.jsonl")
        for name in (f"{method}-blocks_per_iteration=3-0" for method in ("one_shot", "few_shot"))
    ]
    whole, more = ([s.device for s in own if s.kind == SUPERNET] for own in spent)
    assert more[:2] == whole and len(more) == 2 + 5
    records = [read_run(path) for path in (ground.directory / "out/runs").iterdir()]
    assert all(record.supernet is not None for record in records)
    status, out, err = ground(*flags)
    assert (status, "searching" in err) == (0, False)
    assert "a random choice, without a search" in out
    assert "What each method chose by validation, judged by late in percent" in out
    assert "blockqnn report out/runs/*" in out
    status, _, err = ground(*flags, "--search_flags=other.flags")
    assert (status, "other.flags" in err) == (2, True)
    (ground.directory / "own.flags").write_text(FLAGS + "--supernet_rate=0.5\n")
    status, _, err = ground(*flags)
    assert status == 2 and "begun with --supernet_rate=0.05; given is --supernet_rate=0.5" in err
    assert "or another --out_dir to begin anew" in err


@pytest.mark.parametrize("finals", ["off", "2:1"])
def test_workers_of_agents_are_gone_when_others_begin(ground, monkeypatch, finals):
    """They would hold the cluster's room, or a GPU's memory, which a supernet waits for."""
    opened, begun = [], []

    def counted_executor(*arguments):
        executor = make_executor(*arguments)
        opened.append(executor)
        close = executor.close
        monkeypatch.setattr(executor, "close", lambda: (opened.remove(executor), close())[1])
        return executor

    def seen(play):
        def played(*arguments):
            begun.append((play.__name__, len(opened)))
            return play(*arguments)

        return played

    monkeypatch.setattr(method_command, "make_executor", counted_executor)
    for play in (method_play.play_supernet, method_play.play_finals):
        monkeypatch.setattr(method_command, play.__name__, seen(play))
    methods = f"--methods=random,local_search,one_shot{SMALL}"
    flags = (*BASE, methods, "--evaluator=train", "--budgets=1", "--seeds=2")
    status, _, err = ground(*flags, f"--finals={finals}")
    assert status == 0, err
    assert opened == [] and {count for _, count in begun} == {0}
    assert [name for name, _ in begun].count("play_supernet") == 2


@pytest.mark.filterwarnings("error:No artists")
def test_where_no_search_finds_a_design_of_the_table_that_is_said(ground):
    shrink(ground.directory / "t.csv")
    flags = (*BASE, "--methods=random,local_search", "--budgets=1", "--seeds=2")
    status, out, err = ground(*flags, "--out=curves.svg")
    assert status == 1, err
    assert "local_search: 2 of 2 searches found no design of the table, and are left out" in out
    status, out, _ = ground(*flags, "--format=json")
    (judged,) = json.loads(out)["judges"]
    assert (status, {row["mean"] for row in judged["rows"]}) == (1, {None})


def test_every_agent_goes_on_with_what_it_began(ground):
    """By the preset an agent has other settings than by its budget, and its run says which."""
    # A file of flags would hide what a run says.
    flags = [flag for flag in BASE if not flag.startswith("--search_flags")]
    flags += [f"--methods={','.join(AGENTS)}", "--evaluator=dry", "--budgets=6", "--seeds=1"]
    status, first, err = ground(*flags)
    assert (status, err.count("searching ...")) == (0, len(AGENTS)), err
    status, again, err = ground(*flags)
    assert (status, err.count("searching ...")) == (0, 0), err
    assert again == first


def test_agents_are_sized_to_what_is_said_where_seconds_alone_are_given(ground):
    """Their number of evaluations is known afterwards, and schedules need one before."""
    schedules = []
    for number, more in enumerate(((), ("--sized_to=30",))):
        out_dir = f"--out_dir=out{number}"
        flags = ("--methods=q_learning", "--evaluator=train", "--seconds=0.1", "--seeds=1")
        status, _, err = ground(*BASE, *flags, out_dir, *more)
        assert status == 0, err
        assert f"Agents:     sized to {(100, 30)[number]} evaluations\n" in err
        own = recorded_flags(ground.directory / f"out{number}/runs/q_learning-0")
        rounds = [part.split(":") for part in own["epsilon_schedule"].split(",")]
        schedules.append(sum(int(n) for _, n in rounds) * int(own["blocks_per_iteration"]))
    assert schedules[0] == pytest.approx(100, abs=2) and schedules[1] == pytest.approx(30, abs=2)


def test_a_contest_goes_on_to_a_larger_budget_unless_settings_follow_from_it(ground):
    shrink(ground.directory / "t.csv")

    def played(methods, budgets, *more):
        flags = ("--evaluator=dry", "--seeds=1", f"--methods={methods}", f"--budgets={budgets}")
        return ground(*BASE, *flags, *more)

    def suggested(out_dir):
        runs = sorted((ground.directory / out_dir / "runs").iterdir())
        return {run.name: [(t.code, t.reward) for t in read_run(run).trials] for run in runs}

    assert played("random,evolution", 4)[0] == 0
    begun = suggested("out")
    status, _, err = played("random,evolution", "4,12")
    assert (status, err.count("searching ...")) == (0, 2), err
    assert played("random,evolution", "4,12", "--out_dir=fresh")[0] == 0
    assert begun != suggested("out") == suggested("fresh")
    status, _, err = played("random,evolution", 4)
    assert (status, err.count("searching ...")) == (0, 0), err
    assert played("q_learning", 4)[0] == 0
    # In a directory of its own the first method would have begun.
    status, _, err = played("local_search,q_learning", 12)
    assert (status, err.count("searching ...")) == (2, 0)
    assert "The contest in out was begun with --budgets=4, and the settings of q_learning" in err
    assert "given is --budgets=12. Give the old budget, or another --out_dir." in err


@pytest.mark.long
def test_a_contest_that_is_killed_goes_on_to_the_same(ground):
    flags = [*BASE, "--methods=random,darts", "--evaluator=train", "--budgets=6", "--seeds=1"]

    def rows_of(directory):
        status, out, err = ground(*flags, f"--out_dir={directory}", "--format=json")
        assert status == 0, err
        facts = json.loads(out)
        return facts, facts["judges"][0]["rows"]

    process = subprocess.Popen(
        [sys.executable, "-m", "blockqnn", *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = ground.directory / "out/runs/random-0/spent.jsonl"
    wait_for(lambda: path.exists() and path.read_text().count("\n") >= 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = path.read_text().count("\n")
    facts, rows = rows_of("out")
    assert rows == rows_of("whole")[1]
    assert 3 <= before < len(read_spent(path)) == 6
    random, darts = facts["costs"]
    assert (random["evaluations"], random["kinds"]["children"] > 0) == (6, True)
    assert (darts["evaluations"], darts["kinds"]["mixtures"] > 0) == (0, True)


def test_what_was_chosen_is_trained_to_the_end_on_images_that_no_search_saw(ground):
    (ground.directory / "judge.flags").write_text("--epochs=1\n--batch_size=32\n")
    flags = [*BASE, "--methods=random", "--evaluator=train", "--budgets=1", "--seeds=1"]
    flags += ["--judge=both", "--judge_seeds=1", "--judge_flags=judge.flags", "--finals=1:1"]
    status, out, err = ground(*flags)
    assert status == 0, err
    assert "judged by late in percent" in out
    assert "accuracy on the test images in percent, trained by itself to the end" in out
    assert "there are the winners of finals, 1 block for 1 epoch, the same for all" in out
    assert "finals" in out and "Judging: 1 of " in err
    again = ground(*flags)
    assert again[:2] == (0, out) and "Judging" not in again[2]
    (ground.directory / "judge.flags").write_text("--epochs=2\n")
    assert "trainings by other flags" in ground(*flags)[2]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--notest", "--judge_flags has --notest"),
        ("--top=2", "--judge_flags has --top"),
        ("residual", "--judge_flags has 'residual'"),
        ("--epoch=3", "epoch"),
    ],
)
def test_flags_by_which_no_training_can_judge_are_refused_before_a_search(ground, line, words):
    (ground.directory / "judge.flags").write_text(f"{line}\n")
    flags = (*BASE, "--methods=random", "--evaluator=train", "--judge=both")
    status, out, err = ground(*flags, "--judge_flags=judge.flags")
    assert (status, out) == (2, "")
    assert words in err
    assert not (ground.directory / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--methods=nobody",), "--methods has 'nobody'"),
        (("--methods=random", "--agents=random"), "--methods and --agents both say who plays"),
        (("--finals=2:3",), "--finals is about a contest of methods"),
        (("--methods=random", "--seconds=5"), "needs --evaluation_seconds"),
        (("--methods=random", "--sized_to=50"), "agents with children of their own"),
        (("--methods=one_shot", "--sized_to=50"), "no method named here is one"),
        (("--methods=random", "--executor=ray"), "agents look a table up"),
        (("--sized_to=50",), "--sized_to is about a contest of methods"),
        (("--methods=random", "--seconds=0"), "positive numbers with commas"),
        (("--methods=random", "--judge=train"), "they are judged by it too"),
        (("--methods=random", "--finals=2:3"), "agents train nothing"),
        (
            ("--methods=random", "--evaluator=train", "--finals=2:2,3:1"),
            "--finals has 2 blocks in round 1 and 3, which are more, in round 2",
        ),
        (("--methods=random", "--target=50"), "--target is about a contest of agents"),
        (("--methods=random", "--table="), "--evaluator=table needs --table"),
        (("--methods=random", "--evaluator=dry", "--table="), "makes accuracies up"),
        (("--methods=random", "--evaluator=train", "--judge=both", "--table="), "needs --table"),
        (("--methods=random", "--budgets=20000"), "the table has 15,625 designs"),
        (("--methods=random,enas:supernet_epoch=3",), "supernet_epoch"),
        (("--methods=random,darts:paths=agent",), "--paths belongs to shared"),
        (
            ("--methods=random,few_shot", "--match=parameters:1k"),
            "--match scales children that are trained",
        ),
        (("--methods=random", "--out=curves.txt"), "--out is 'curves.txt'"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence_before_anything_begins(ground, more, words):
    status, out, err = ground(*BASE, *more)
    assert (status, out) == (2, "")
    assert words in err
    assert not (ground.directory / "out").exists()
