"""Contests on a table: counting, standings by hand, continuing, the command."""

import contextlib
import json
import math
import re
import signal
import subprocess
import sys
import time

import pytest
from scipy import stats

from blockqnn.contests import contest, standings
from blockqnn.contests.contest import Improvement, Played, play
from blockqnn.contests.contestants import parse_contestant
from blockqnn.contests.tournament import FILE_NAME, Results, wanted_runs
from blockqnn.errors import UserError
from blockqnn.evaluation.table import AccuracyTable
from tests.blockqnn.evaluation.test_table import all_cells
from tests.blockqnn.executing import is_alive, wait_for
from tests.paths import ROOT

AGENTS = ("random", "evolution", "local_search", "q_learning", "q_learning_plus")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A table of all cells: searched by the number of 3x3 convolutions, judged by its square."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    lines = all_cells().splitlines()
    rows = [lines[0] + ",late"]
    for line in lines[1:]:
        count = line.count("nor_conv_3x3")
        rows.append(f"{line},{10 + count**2}")
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def accuracies(path):
    return AccuracyTable(path, ("early", "late"))


class Scripted:
    """Suggests given cells, then the last one for ever."""

    def __init__(self, cells):
        self.cells, self.updates = list(cells), []

    def suggest(self, count):
        return [self.cells.pop(0) if len(self.cells) > 1 else self.cells[0] for _ in range(count)]

    def update(self, episodes):
        self.updates.append(list(episodes))


def cells_with(accuracies, *counts):
    return [
        next(c for c in accuracies.codes if sum(op == 3 for _, op in c) == count)
        for count in counts
    ]


def test_an_evaluation_is_a_design_not_seen_before(accuracies, monkeypatch):
    cells = cells_with(accuracies, 1, 1, 0, 3, 1, 2, 5)
    agent = Scripted(cells)
    monkeypatch.setattr(contest, "make_agent", lambda *_: agent)
    played = play(parse_contestant("random"), "nasbench201", accuracies, 4, 0)
    # Searched accuracies are 20 + 10 a convolution, judged ones 10 + its square.
    assert played.improvements == (Improvement(1, 30, 11), Improvement(3, 50, 19))
    assert played.evaluations == 4
    assert [e.reward for (e,) in agent.updates] == [0.3, 0.3, 0.2, 0.5, 0.3, 0.4]
    assert [played.best_at(n).judged for n in (1, 2, 3, 4)] == [11, 11, 19, 19]


def test_patience_with_repetitions_ends(accuracies, monkeypatch):
    agent = Scripted(cells_with(accuracies, 2))
    monkeypatch.setattr(contest, "make_agent", lambda *_: agent)
    played = play(parse_contestant("random"), "nasbench201", accuracies, 3, 0)
    assert played.evaluations == 1
    assert len(agent.updates) == 300


def test_what_the_table_does_not_have_earns_nothing_and_counts_nothing(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text('code,a,b\n"[(1,1,3,0,0)]",50,60\n"[(1,1,5,0,0)]",40,70\n')
    played = play(
        parse_contestant("random"), "nsc", AccuracyTable(str(path), ("a", "b")), 2, seed=1
    )
    assert played.evaluations <= 2
    assert {i.judged for i in played.improvements} <= {60, 70}


@pytest.mark.parametrize("name", AGENTS)
def test_a_seed_plays_the_same_again(accuracies, name):
    contestant = parse_contestant(name)
    one, again, other = (
        play(contestant, "nasbench201", accuracies, 60, seed) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert one.evaluations == 60
    assert contest.from_json(json.loads(json.dumps(contest.as_json(one)))) == one


def played(title, budget, seed, *improvements):
    return Played(title, budget, seed, budget, tuple(Improvement(*i) for i in improvements))


RANDOM, PAPER = parse_contestant("random"), parse_contestant("q_learning")
RUNS = {
    (run.contestant, run.budget, run.seed): run
    for run in (
        played("random", 100, 0, (1, 50, 60), (20, 60, 80)),
        played("random", 100, 1, (1, 50, 70), (5, 55, 65), (90, 70, 90)),
        played("q_learning", 10, 0, (1, 10, 20), (10, 40, 70)),
        played("q_learning", 10, 1, (2, 10, 30)),
        played("q_learning", 100, 0, (1, 10, 90)),
        played("q_learning", 100, 1, (1, 10, 20), (50, 20, 85)),
    )
}


def test_standings_by_hand():
    found = standings.rows(RUNS, [RANDOM, PAPER], (10, 100), 2, RANDOM)
    assert [(r["agent"], r["budget"], r["mean"], r["seeds"]) for r in found] == [
        ("random", 10, 62.5, 2),
        ("q_learning", 10, 50, 2),
        ("random", 100, 85, 2),
        ("q_learning", 100, 87.5, 2),
    ]
    assert found[0]["std"] == pytest.approx(math.sqrt(12.5))
    assert found[0]["p"] is None
    # t = -12.5 / sqrt(12.5 / 2 + 800 / 2), with Welch's degrees of freedom.
    variance = 12.5 / 2 + 800 / 2
    freedom = variance**2 / ((12.5 / 2) ** 2 + (800 / 2) ** 2)
    assert found[1]["p"] == pytest.approx(2 * stats.t.cdf(-12.5 / math.sqrt(variance), freedom))


def test_evaluations_to_a_target_by_hand():
    found = standings.targets(RUNS, [RANDOM, PAPER], (10, 100), 2, 80)
    assert found == [
        {"agent": "random", "reached": 1.0, "evaluations": 20},
        {"agent": "q_learning", "reached": 1.0, "evaluations": 1},
    ]
    (random, _) = standings.targets(RUNS, [RANDOM, PAPER], (10, 100), 2, 95)
    assert random == {"agent": "random", "reached": 0.0, "evaluations": None}


def test_one_value_has_no_deviation_and_none_has_no_mean():
    runs = {key: run for key, run in RUNS.items() if key[2] == 0}
    (row, _) = standings.rows(runs, [RANDOM], (10, 100), 1, RANDOM)
    assert (row["mean"], row["std"], row["found"]) == (60, None, 1)
    assert standings.mean_cell(60, None, None) == "60.00 +- - "
    nothing = {key: played(*key) for key in runs}
    (row, _) = standings.rows(nothing, [RANDOM], (10, 100), 1, RANDOM)
    assert (row["mean"], row["std"], row["found"]) == (None, None, 0)
    assert standings.mean_cell(None, None, None) == "- "
    (curve,) = standings.regret_curves(nothing, [RANDOM], (10, 100), 1, 95)
    assert set(curve["regret"]) == {None}


def test_regret_by_hand():
    (random, _) = standings.regret_curves(RUNS, [RANDOM, PAPER], (10, 100), 2, 95)
    points = dict(zip(random["evaluations"], random["regret"], strict=True))
    assert points[1] == (35 + 25) / 2
    assert points[100] == (15 + 5) / 2
    assert random["evaluations"] == sorted(set(random["evaluations"]))


def test_equal_samples_and_single_values_have_no_p():
    assert standings.welch_p([1, 1], [1, 1]) is None
    assert standings.welch_p([1], [1, 2]) is None
    assert standings.welch_p([1, 1, 1], [2, 2, 3]) < 0.1


def test_agents_whose_settings_depend_on_the_budget_play_each_of_them():
    assert wanted_runs([RANDOM, PAPER], (100, 10), 1) == [
        ("random", 100, 0),
        ("q_learning", 10, 0),
        ("q_learning", 100, 0),
    ]


def opened(directory, table):
    return Results(directory, {"table": table}, contest.as_json, contest.from_json)


def test_a_torn_line_is_run_again_and_another_tournament_refused(tmp_path):
    runs = list(RUNS.values())
    results = opened(tmp_path, "a")
    results.add(runs[:2])
    results.close()
    file = tmp_path / FILE_NAME
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    again = opened(tmp_path, "a")
    assert list(again.runs.values()) == runs[:1]
    again.add(runs[1:])
    again.close()
    with contextlib.closing(opened(tmp_path, "a")) as third:
        assert third.runs == RUNS
    with pytest.raises(UserError, match="begun with --table=a; given is --table=b"):
        opened(tmp_path, "b")
    for text in ("what is this\n", "[1]\n"):
        file.write_text(text)
        with pytest.raises(UserError, match="is no file of contests"):
            opened(tmp_path, "a")


@pytest.mark.parametrize(("value", "fits"), [("0", True), ("500", False)])
def test_a_tournament_older_than_a_flag_goes_on_as_it_was(tmp_path, value, fits):
    (tmp_path / FILE_NAME).write_text('{"table": "a"}\n')
    identity = {"table": "a", "validation_examples": value}
    expected = contextlib.nullcontext() if fits else pytest.raises(UserError, match="_examples=0;")
    with expected:
        Results(tmp_path, identity, contest.as_json, contest.from_json).close()


def arguments(path, *more):
    return (
        *("compare", f"--table={path}", "--search_column=early", "--judge_column=late"),
        *("--budgets=5,30", "--seeds=3", "--agents=random,local_search,q_learning", *more),
    )


def without_progress(err):
    """What was said besides how far it is, which a slow machine says as well."""
    return re.sub(r"\d+ of \d+ runs.*\n", "", err)


def test_the_command_prints_a_table_and_draws(blockqnn, path):
    status, out, err = blockqnn(*arguments(path, "--out=regret.svg", "--target=30"))
    assert (status, without_progress(err)) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"Table {path}: all 15,625 cells of the space nasbench201."
    assert "5 evaluations" in lines[4]
    assert "reach 30.00" in lines[4]
    assert [line.split()[-1] for line in lines[5:8]] == ["random", "local_search", "q_learning"]
    assert "optimum 46.00" in out
    drawing = (blockqnn.directory / "regret.svg").read_text()
    assert drawing.lstrip().startswith("<?xml")
    assert [p.name for p in blockqnn.files() if "new" in p.name] == []


def test_the_command_continues_and_grows(blockqnn, path):
    def rows(*more):
        status, out, _ = blockqnn(*arguments(path, "--format=json", *more))
        assert status == 0
        return json.loads(out)["rows"]

    few = rows()
    assert [row["budget"] for row in few] == [5] * 3 + [30] * 3
    file = blockqnn.directory / "runs" / "compare" / FILE_NAME
    content = file.read_text()
    assert rows() == few
    assert file.read_text() == content, "nothing is played twice"
    more = rows("--seeds=5", "--agents=random,evolution")
    assert [row["seeds"] for row in more] == [5] * 4
    assert file.read_text().startswith(content)
    assert rows() == few


BLOCKS = 'code,a,b\n"[(1,1,3,0,0)]",50,60\n"[(1,1,5,0,0),(2,7,0,0,0)]",40,70\n'


def test_a_table_of_a_few_blocks_is_of_their_space_and_what_it_lacks_is_counted(blockqnn):
    (blockqnn.directory / "t.csv").write_text(BLOCKS)
    command = (
        *("compare", "--table=t.csv", "--search_column=a", "--judge_column=b", "--seeds=3"),
        *("--agents=random,evolution", "--budgets=1,2"),
    )
    status, out, err = blockqnn(*command)
    assert (status, without_progress(err)) == (0, "")
    assert out.startswith(
        "Table t.csv: 2 blocks of the space nsc, of far more that there are; suggestions that it "
        "lacks are counted and never judged.\n"
    )
    assert "not in the table  agent" in out
    status, again, _ = blockqnn(*command, "--format=json")
    facts = json.loads(again)
    assert status == 0, "the same command continues"
    for agent, lacking in zip(("random", "evolution"), facts["lacking"], strict=True):
        found = [row["found"] for row in facts["rows"] if row["agent"] == agent]
        assert (lacking["agent"], lacking["suggestions"] > lacking["lacking"] > 0) == (agent, True)
        lost = 3 - found[-1]
        assert (f"{agent}: {lost} of 3 runs of 2 evaluations found no design" in out) == (lost > 0)


def test_a_contest_in_which_nothing_was_found_says_so_by_its_status(blockqnn):
    """One block of nine layers among all blocks: nobody guesses it."""
    code = "".join(f"({i},1,5,{i - 1},0)," for i in range(1, 10)) + "(10,7,0,0,0)"
    (blockqnn.directory / "t.csv").write_text(f'code,a\n"[{code}]",50\n')
    status, out, _ = blockqnn(
        *("compare", "--table=t.csv", "--search_column=a", "--judge_column=a", "--seeds=1"),
        *("--agents=random", "--budgets=1", "--out=regret.svg"),
    )
    assert status == 1
    assert "1 evaluation  reach 49.80  median after  not in the table  agent" in out
    assert "          -           0 %             -             100 %  random" in out
    assert "random: 1 of 1 run of 1 evaluation found no design of the table" in out


def test_codes_of_several_spaces_are_told_apart_by_name(blockqnn):
    cell = all_cells().splitlines()[1].split(",")[0]
    (blockqnn.directory / "t.csv").write_text(f"{BLOCKS}{cell},10,20\n")
    command = ("compare", "--table=t.csv", "--search_column=a", "--judge_column=b", "--seeds=1")
    status, _, err = blockqnn(*command, "--budgets=1")
    assert (status, err.splitlines()) == (
        2,
        [
            "blockqnn: --table t.csv: it has 2 blocks of the space nsc and 1 cell of the space "
            "nasbench201; name one of the spaces (--space)."
        ],
    )
    assert blockqnn.files() == [blockqnn.directory / "t.csv"]
    status, out, _ = blockqnn(*command, "--budgets=1", "--agents=random", "--space=nsc")
    assert status in (0, 1)
    assert "Left out: 1 cell of the space nasbench201." in out


def test_a_contest_that_fails_leaves_nothing(blockqnn, path, monkeypatch):
    def fails(*_):
        raise UserError("It cannot be.")

    monkeypatch.setattr("blockqnn.contests.command.carry_out", fails)
    assert blockqnn(*arguments(path, "--out_dir=a/b"))[0] == 2
    assert blockqnn.files() == []
    (blockqnn.directory / "a").mkdir()
    assert blockqnn(*arguments(path, "--out_dir=a/b"))[0] == 2
    assert blockqnn.files() == [blockqnn.directory / "a"]


def children_of(pid):
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True)
    return [int(line) for line in listing.stdout.split()]


@pytest.mark.long
def test_a_killed_command_continues(path, tmp_path):
    command = [
        *(sys.executable, "-m", "blockqnn", *arguments(path, f"--out_dir={tmp_path / 'c'}")),
        *("--format=json", "--seeds=60", "--budgets=200"),
    ]
    whole = [word.replace(str(tmp_path / "c"), str(tmp_path / "w")) for word in command]
    wanted = subprocess.run(whole, cwd=ROOT, check=True, capture_output=True).stdout
    file = tmp_path / "c" / FILE_NAME
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and (not file.exists() or file.read_bytes().count(b"\n") < 21):
            time.sleep(0.001)
        children = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
    assert children
    wait_for(lambda: not any(map(is_alive, children)))
    again = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    assert again == wanted


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--table=",), "compare needs --table"),
        (("--table=none.csv",), "--table none.csv: it cannot be read"),
        (("--search_column=x",), "has no column 'x'"),
        (("--budgets=0",), "--budgets"),
        (("--budgets=20000",), "the table has 15,625 designs"),
        (("--agents=random,random",), "--agents"),
        (("--agents=nobody",), "'nobody'; allowed"),
        (("--out=x.gif",), "'x.gif'; allowed: a name that ends in .svg"),
        (("--out=none/x.svg",), "there is no directory none"),
        (("--seeds=0",), "--seeds"),
        (("more",), "compare takes flags alone"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(blockqnn, path, more, words):
    status, out, err = blockqnn(*arguments(path, *more))
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert blockqnn.files() == []
