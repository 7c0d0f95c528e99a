"""The verb `show` on a run: trials chosen and sorted by flags."""

import json

import pytest

from blockqnn.inspection.selection import Selection
from blockqnn.inspection.show_run import show_run
from blockqnn.listing import wrapped_code
from blockqnn.networks.spaces.nsc.codes import parse, write
from tests.blockqnn.test_terminal import Screen

COSTS = ("parameters", "flops", "density", "depth", "number")


@pytest.fixture
def run(blockqnn):
    """The directory of a finished run."""
    blockqnn.search(
        *("--preset=digits", "--run_dir=run", "--epsilon_schedule=1.0:3,0.3:2"),
        *("--blocks_per_iteration=8", "--max_layers=4", "--filters=4,8"),
    )
    return "run"


def shown(blockqnn, *arguments):
    status, out, err = blockqnn("show", *arguments)
    assert (status, err) == (0, "")
    return out


def listed(blockqnn, *arguments):
    return json.loads(shown(blockqnn, *arguments, "--format=json"))


@pytest.mark.parametrize("sort", ["reward", "accuracy", "seconds", *COSTS])
def test_every_figure_sorts_text_and_json_alike(blockqnn, run, sort):
    everything = ["--top=999", f"--sort={sort}"]
    found = listed(blockqnn, run, *everything)["best"]
    values = [block[sort] for block in found]
    assert values == sorted(values, reverse=sort in ("reward", "accuracy"))
    lines = shown(blockqnn, run, *everything).splitlines()
    assert f"by {sort}, " in lines[1]
    assert [int(line.split()[1]) for line in lines[3:]] == [b["number"] for b in found]
    for order, backwards in (("ascending", False), ("descending", True)):
        values = [b[sort] for b in listed(blockqnn, run, *everything, f"--order={order}")["best"]]
        assert values == sorted(values, reverse=backwards)


def test_ranks_are_those_of_the_list_and_where_they_differ_those_by_reward_too(blockqnn, run):
    ranked = [block["number"] for block in listed(blockqnn, run, "--top=999")["best"]]
    for place, block in enumerate(listed(blockqnn, run, "--top=999", "--sort=flops")["best"], 1):
        assert block["rank"] == place
        assert ranked[block["reward_rank"] - 1] == block["number"]
    header, *lines = shown(blockqnn, run, "--sort=flops").splitlines()[2:]
    assert header.startswith("rank  trial  reward rank  reward  accuracy %")
    for place, line in enumerate(lines, start=1):
        rank, number, by_reward = map(int, line.split()[:3])
        assert (rank, ranked[by_reward - 1]) == (place, number)
    assert shown(blockqnn, run).splitlines()[2].startswith("rank  trial  reward  accuracy %")
    known = listed(blockqnn, run, "--status=known")["best"]
    assert {block["reward_rank"] for block in known} == {None}
    assert [block["rank"] for block in known] == list(range(1, len(known) + 1))


def test_filters_choose_what_the_trials_say(blockqnn, run):
    trials = blockqnn.trials(run)
    trained = [t for t in trials if t["status"] == "trained"]
    middle = sorted(trained, key=lambda t: t["reward"])[len(trained) // 2]

    def numbers(*arguments):
        found = listed(blockqnn, run, "--top=999", "--sort=number", *arguments)
        assert found["selected"] == len(found["best"])
        return [block["number"] for block in found["best"]]

    for flag, wanted in (
        (f"--min_reward={middle['reward']!r}", lambda t: t["reward"] >= middle["reward"]),
        (f"--min_accuracy={middle['accuracy']!r}", lambda t: t["accuracy"] >= middle["accuracy"]),
        (
            f"--max_parameters={middle['parameters']}",
            lambda t: t["parameters"] <= middle["parameters"],
        ),
        ("--max_parameters=1.5k", lambda t: t["parameters"] <= 1500),
        ("--max_flops=0.2M", lambda t: t["flops"] <= 200_000),
        ("--max_depth=3", lambda t: t["depth"] <= 3),
        ("--max_density=1", lambda t: t["density"] <= 1),
        ("--max_seconds=-1", lambda t: t["seconds"] <= -1),
        ("--iteration=2", lambda t: t["iteration"] == 2),
        ("--iteration=2-4", lambda t: 2 <= t["iteration"] <= 4),
        ("--has=conv5x5", lambda t: any(layer[1:3] == (1, 5) for layer in parse(t["code"]))),
    ):
        assert numbers(flag) == [t["number"] for t in trained if wanted(t)], flag
    for status in ("known", "infeasible", "trained", "failed"):
        assert numbers(f"--status={status}") == [
            t["number"] for t in trials if t["status"] == status
        ]
    assert numbers("--status=any") == [t["number"] for t in trials]
    both = numbers("--has=several branches,add", "--max_depth=4")
    assert set(both) == set(numbers("--has=several branches")) & set(numbers("--has=add")) & set(
        numbers("--max_depth=4")
    )


def test_features_have_short_names_and_a_wrong_one_names_them_all(blockqnn, run):
    long = listed(blockqnn, run, "--has=several branches,convolutions in sequence")
    assert listed(blockqnn, run, "--has=branch,sequence") == long
    status, _, err = blockqnn("show", run, "--has=branches")
    assert status == 2
    assert "conv, conv1x1, " in err
    assert "branch, leaves, shortcut, residual, " in err


def test_what_was_not_trained_is_listed_with_its_reason(blockqnn, run):
    infeasible = next(t for t in blockqnn.trials(run) if t["status"] == "infeasible")
    text = shown(blockqnn, run, "--status=infeasible", "--sort=number")
    assert f"{infeasible['code']}  {infeasible['reason']}" in text
    found = listed(blockqnn, run, "--status=infeasible", "--sort=number")["best"][0]
    assert (found["reason"], found["seconds"]) == (infeasible["reason"], None)
    header = shown(blockqnn, run, "--status=any").splitlines()[2]
    assert "status" in header.split()


def test_how_many_were_chosen_is_said(blockqnn, run):
    trials = blockqnn.trials(run)
    trained = sum(t["status"] == "trained" for t in trials)
    heading = shown(blockqnn, run, "--top=3").splitlines()[1]
    assert heading == (
        f"{trained} trained trials chosen from {len(trials)}; the first 3 by reward, highest first:"
    )
    heading = shown(blockqnn, run, "--status=any", "--top=999", "--sort=flops").splitlines()[1]
    assert heading == (f"{len(trials)} trials chosen from {len(trials)}, by flops, lowest first:")


def test_where_no_trial_is_left_that_is_said(blockqnn, run):
    text = shown(blockqnn, run, "--min_accuracy=101")
    assert f"None of the {len(blockqnn.trials(run))} trials fulfils all conditions." in text
    assert listed(blockqnn, run, "--min_accuracy=101")["best"] == []


def test_codes_go_below_their_figures_where_a_terminal_is_too_narrow(blockqnn, run, monkeypatch):
    best = listed(blockqnn, run, "--top=4")["best"]
    for variable in ("NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    for columns in (60, 80, 120, 400):
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = Screen()
        show_run(blockqnn.directory / run, Selection(), 4, False, screen)
        lines = screen.getvalue().splitlines()[3:]
        assert (len(lines) > 4) == (columns < 400)
        if columns >= 80:
            assert max(map(len, lines)) <= columns
        # Whatever the width, the codes are whole when lines are put together again.
        together = "".join(line.strip() for line in lines)
        assert all(block["code"] in together for block in best)
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    show_run(blockqnn.directory / run, Selection(), 4, False, screen)
    assert "\x1b[1m" in screen.getvalue()


def test_a_code_is_broken_between_layers():
    code = write(parse("[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,2,0)]"))
    assert wrapped_code(code, None) == [code]
    assert wrapped_code(code, 200) == [code]
    # The bracket and two layers take 1 + 2 x 12 = 25 columns.
    assert wrapped_code(code, 25) == ["[(1,1,3,0,0),(2,1,3,1,0),", "(3,1,3,2,0),(4,7,0,0,0)]"]
    assert wrapped_code(code, 24) == [
        "[(1,1,3,0,0),",
        "(2,1,3,1,0),(3,1,3,2,0),",
        "(4,7,0,0,0)]",
    ]
    assert wrapped_code(code + "  room", 30)[-1] == "(3,1,3,2,0),(4,7,0,0,0)]  room"
    assert wrapped_code(code + "  no room", 30)[-2:] == ["(3,1,3,2,0),(4,7,0,0,0)]", "no room"]
