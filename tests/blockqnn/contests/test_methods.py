"""Methods in a contest, by hand: who plays, what is counted, what is shared, what is shown."""

import dataclasses
import io
import json
import math
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.agents.registry import AGENTS
from blockqnn.contests.metered import (
    CHILD,
    DRIVER,
    SCORE,
    MeteredExecutor,
    Spent,
    by_kind,
    read_spent,
)
from blockqnn.contests.method_begun import check_begun
from blockqnn.contests.method_play import BUDGET, Goal, Relay, end
from blockqnn.contests.method_runs import directory_of
from blockqnn.contests.method_standings import (
    Column,
    columns_of,
    costs,
    curves,
    holm,
    rows,
    too_small,
)
from blockqnn.contests.method_words import in_words
from blockqnn.contests.methods import METHODS, flags_of_agent, parse_player
from blockqnn.contests.shared_banks import BankSharingExecutor, bank_digest
from blockqnn.errors import UserError
from blockqnn.flags.search import parse
from blockqnn.networks.spaces.registry import code_of
from blockqnn.runs.rounds import Round
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.shared_work import BankEpoch
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.trial import Job, Outcome, Status, Trial
from tests.blockqnn.contests.runs_by_hand import RUNS, agent_run, facts_of, whole_run
from tests.blockqnn.small_searches import CONV3, search_settings


def test_a_method_is_judged_by_what_it_chose_and_not_by_the_best_that_it_saw():
    first = RUNS["random"][0]
    assert [first.after_evaluations(n).judged for n in (1, 2, 3)] == [80, 80, 82]
    assert [first.after_seconds(s).judged for s in (10, 20, 29.9, 30)] == [80, 80, 80, 82]
    assert first.after_seconds(9.9) is None
    whole = RUNS["one_shot"][0]
    assert (whole.after_seconds(24.9), whole.after_seconds(25).judged) == (None, 90)
    assert whole.after_evaluations(10**6) is None


def test_finals_cost_and_their_winner_counts_at_the_end_alone():
    run = agent_run("evolution", 0, (10, 60, 80), finals=7)
    assert (run.seconds, run.searched_seconds) == (17, 10)
    won = whole_run("enas", 0, 25, 90, final=95)
    assert (won.after_seconds(25).judged, Column("end").choice(won).judged) == (90, 95)


def test_rows_by_hand():
    columns = columns_of([2], [20, 40])
    assert [c.title for c in columns] == ["2 evaluations", "20 s", "40 s", "at its end"]
    found = rows(RUNS, 2, columns, lambda chosen: chosen.judged, "random")
    by = {(row["method"], row["kind"], row["amount"]): row for row in found}
    row = by["random", "evaluations", 2]
    assert (row["mean"], row["std"], row["chosen"]) == (83, pytest.approx(math.sqrt(18)), 2)
    assert by["one_shot", "evaluations", 2]["mean"] is None
    # After 20 seconds one of its two searches has ended: that is no mean of the method.
    early = by["one_shot", "seconds", 20]
    assert (early["mean"], early["chosen"], early["p"]) == (None, 1, None)
    late = by["one_shot", "seconds", 40]
    assert (late["mean"], late["p_holm"]) == (90.5, late["p"])
    assert 0 < late["p"] < 1
    # At the end costs differ, so that nothing is tested.
    assert by["one_shot", "end", 0]["p"] is None
    assert by["random", "seconds", 40]["p"] is None


def test_searches_that_found_nothing_are_left_out_and_counted():
    nothing = {"evolution": []}
    columns = columns_of([2], [])
    found = rows(RUNS | nothing, 3, columns, lambda chosen: chosen.judged, "random")
    by = {(row["method"], row["kind"]): row for row in found}
    counts = ("searches", "found", "chosen", "judged", "mean", "p")
    assert [by["random", "evaluations"][name] for name in counts] == [3, 2, 2, 2, 83, None]
    assert [by["evolution", "end"][name] for name in counts] == [3, 0, 0, 0, None, None]
    (none,) = costs(nothing)
    assert (none["seconds"], none["evaluations"], none["kinds"]) == (None, None, {})
    assert too_small(nothing, columns) == []
    curved = curves(RUNS | nothing, lambda chosen: chosen.judged, "evaluations")
    assert [curve["method"] for curve in curved] == ["random"]
    shown = in_words(facts_of(rows=found), columns, ())
    assert "random: 1 of 3 searches found no design of the table, and is left out." in shown
    assert "evolution: 3 of 3 searches found no design of the table, and are left out." in shown
    assert "deviation of those of 2 searches that found a design" in shown


def test_what_the_table_does_not_have_is_not_called_too_small():
    column = columns_of([], [40])[:1]
    found = rows(RUNS, 2, column, lambda chosen: 91 if chosen.judged == 91 else None, "random")
    (random, one_shot) = found
    assert (random["chosen"], random["judged"], random["mean"]) == (2, 0, None)
    assert (one_shot["chosen"], one_shot["judged"], one_shot["mean"]) == (2, 1, None)
    shown = in_words(facts_of(rows=found), column, ())
    assert "too small" not in shown and "left out" not in shown
    assert "does not have all that was chosen by random, one_shot: no mean there." in shown


def test_what_is_too_small_is_said():
    columns = columns_of([2], [5, 20])
    (whole, random, one_shot) = too_small(RUNS, columns)
    assert whole.startswith("No design is trained by itself by one_shot,")
    assert random == "random needs 12 s to choose anything: 5 s is too small for it."
    assert one_shot.startswith("one_shot needs 25 s to choose anything: 5 s and 20 s are too")
    assert too_small(RUNS, columns_of([], [40])) == []


def test_costs_and_curves_by_hand():
    random, one_shot = costs(RUNS)
    assert (random["seconds"], random["evaluations"], random["kinds"][CHILD]) == (31.5, 3, 31.5)
    assert (one_shot["seconds"], one_shot["compiling"]) == (20, 3)
    found = {c["method"]: c for c in curves(RUNS, lambda chosen: chosen.judged, "seconds")}
    assert found["random"]["mean"][-1] == (82 + 86) / 2
    points = dict(zip(found["one_shot"]["x"], found["one_shot"]["mean"], strict=True))
    assert all((mean is None) == (x < 25) for x, mean in points.items())
    (only,) = curves(RUNS, lambda chosen: chosen.judged, "evaluations")
    assert (only["x"], only["mean"]) == ([1, 2, pytest.approx(3)], [82, 83, 84])


def test_holm_by_hand():
    # The smallest times 3, the next times 2, and none below one before it.
    assert holm([0.04, None, 0.01, 0.03]) == [pytest.approx(0.06), None, 0.03, 0.06]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_none_and_bonferroni(ps):
    found = holm(ps)
    assert all(p <= h <= min(1, len(ps) * p) + 1e-12 for p, h in zip(ps, found, strict=True))
    order = sorted(range(len(ps)), key=ps.__getitem__)
    assert [found[i] for i in order] == sorted(found)


@pytest.mark.parametrize("name", AGENTS)
def test_the_run_of_an_agent_has_the_flags_that_it_played_with(name, tmp_path):
    base = ["--preset=ground_digits", "--evaluator=dry", f"--run_dir={tmp_path}"]
    plain, _ = parse(base)
    for title in (name, f"{name}+predictor:pool=7"):
        config = parse_player(title).contestant.config(40, plain)
        found, _ = parse([*base, *flags_of_agent(config, plain.blocks_per_iteration, 40)])
        assert (found.agent, found.blocks_per_iteration) == (config, plain.blocks_per_iteration)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_flags_that_a_search_takes(name, tmp_path):
    base = ["--preset=ground_digits", "--evaluator=train", f"--run_dir={tmp_path}"]
    player = parse_player(f"{name}:supernet_epochs=7")
    settings, _ = parse([*base, *player.flags])
    own = settings.supernet
    assert own.epochs == 7
    assert (own.mixture is not None) == ("darts" in name)
    assert (own.paths == "agent") == bool(own.agent_updates) == (name == "enas")
    assert bool(own.split) == name.startswith("few_shot")
    if own.mixture:
        assert (own.mixture.bilevel == "second_order") == (name == "darts_second_order")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nobody", "--methods has 'nobody'; allowed: q_learning, q_learning_plus, random,"),
        ("enas:7", "where '7' is no FLAG=VALUE"),
        ("evolution:age=7", "--methods has 'evolution:age=7', where 'age=7' changes nothing"),
    ],
)
def test_wrong_methods_are_refused(text, words):
    with pytest.raises(UserError) as refused:
        parse_player(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("title", "facts", "ended", "words"),
    [
        ("q_learning", {BUDGET: 8}, None, "begun with --budgets=8, and the settings of q_learning"),
        ("q_learning", {BUDGET: 0}, None, "begun with --seconds alone, and the settings"),
        ("q_learning", {}, 8, "begun with --budgets=8, and the settings of q_learning follow"),
        (
            "random",
            {BUDGET: 8, "finals": {"rounds": "2:1"}},
            None,
            "--budgets=8, after which random has played finals; given is --budgets=16",
        ),
        # What has ended without finals would be shown as if it had them, and the reverse.
        ("enas", {}, 16, "was begun with --finals=off; given is --finals=2:1. Give the old"),
        ("enas", {"finals": {"rounds": "3:1"}}, None, "was begun with --finals=3:1; given"),
        # Of an earlier version, and killed: its budget is nowhere.
        ("q_learning", {}, None, "Give the old value or one that begins like it and goes on to"),
        ("random", {BUDGET: 8}, None, "or another --out_dir to begin anew"),
    ],
)
def test_another_search_than_the_directory_holds_is_refused(tmp_path, title, facts, ended, words):
    store = Store.create_or_open(tmp_path / FILE_NAME)
    store.set_facts({"flags": {"epsilon_schedule": "1.0:2"}, **facts})
    store.close()
    run = types.SimpleNamespace(run_dir=tmp_path, flag_values={"epsilon_schedule": "0.5:2"})
    if ended is not None:
        end(run, Goal(ended, 0.0))
    with pytest.raises(UserError) as refused:
        check_begun(parse_player(title), run, 16, (Round(2, 1),), tmp_path)
    assert words in str(refused.value) and "--run_dir" not in str(refused.value)


def test_the_schedule_of_an_agent_without_use_for_it_grows():
    config = parse_player("random").contestant.config(8)
    flags = flags_of_agent(config, 2, 40, "1.0:2,0.5:3")
    assert "--epsilon_schedule=1.0:2,0.5:3,0.5:15" in flags
    assert "--epsilon_schedule=1.0:30" in flags_of_agent(config, 2, 40, "1.0:30")


class Scripted:
    """Answers jobs in order, each after a second of the driver and three of its own."""

    slots = room = 1

    def __init__(self, clock):
        self.clock, self.jobs = clock, []

    def submit(self, job):
        self.clock[0] += 1
        self.jobs.append(job)

    def next_outcome(self):
        self.clock[0] += 3
        job = self.jobs.pop(0)
        return job.number, Outcome(
            (50.0,), train_seconds=2.5, processor_seconds=job.number * 1.5, compile_seconds=9
        )

    next_outcome_or_room = next_outcome

    def close(self):
        self.jobs = None


def job(number, **more):
    return Job(number, CONV3, f"hash{number}", 0, **more)


def test_what_a_job_costs_is_written_down_and_read_again(tmp_path):
    clock, path = [0.0], tmp_path / "spent.jsonl"
    metered = MeteredExecutor(Scripted(clock), path, lambda: clock[0])
    for number in (0, 2):
        metered.submit(job(number))
    assert [metered.next_outcome()[0], metered.next_outcome_or_room()[0]] == [0, 2]
    metered.submit(job(3, bank="whole-0001"))
    metered.next_outcome()
    # Without seconds of a processor those of the clock count; the driver had one for each job.
    assert read_spent(path) == [
        Spent(CHILD, "hash0", 0, 2.5, 2.0, 9),
        Spent(CHILD, "hash2", 2, 3.0, 0.0, 9),
        Spent(SCORE, "hash3", 3, 4.5, 1.0, 9),
    ]
    found = by_kind(read_spent(path))
    assert (found[CHILD], found[SCORE], found[DRIVER], sum(found.values())) == (5.5, 4.5, 3, 13)


def test_what_was_done_again_after_a_kill_counts_once(tmp_path):
    path = tmp_path / "spent.jsonl"
    lines = [
        json.dumps(dataclasses.astuple(Spent(CHILD, "a", 1, seconds, 0.0, 0.0)))
        for seconds in (5, 7)
    ]
    nameless = json.dumps(dataclasses.astuple(Spent(SCORE, "", 0, 1.0, 0.0, 0.0)))
    path.write_text("\n".join([lines[0], nameless, nameless, lines[1], '["children", "b']))
    assert [each.device for each in read_spent(path)] == [1, 1, 7]
    assert read_spent(tmp_path / "none") == []


def test_a_goal_is_reached_when_all_of_it_is():
    goal = Goal(evaluations=10, seconds=5)
    assert [goal.reached(*far) for far in ((10, 4.9), (9, 99), (10, 5))] == [False, False, True]


class Banks:
    """Trains nothing: an epoch is a directory with its name in it."""

    slots = room = 1

    def __init__(self, banks):
        self.banks, self.jobs = banks, []

    def submit(self, job):
        self.jobs.append(job)

    def next_outcome(self):
        job = self.jobs.pop(0)
        bank = self.banks / job.training.end
        bank.mkdir(parents=True)
        (bank / "bank.json").write_text(job.training.end)
        return job.number, Outcome(score=float(job.training.epoch), train_seconds=2.0)

    next_outcome_or_room = next_outcome

    def close(self):
        """Has nothing to close."""


def epochs_of(executor, part, numbers=range(3)):
    found = []
    for epoch in numbers:
        work = BankEpoch("", False, f"{part}-{epoch + 1:04d}", epoch, 3, (CONV3,))
        executor.submit(Job(1, CONV3, "", 0, training=work))
        found.append(executor.next_outcome()[1])
    return found


def test_a_whole_supernet_is_trained_once_and_counts_for_all(tmp_path):
    def executor(name, digest="d"):
        inner = Banks(tmp_path / name / "banks")
        inner.banks.mkdir(parents=True, exist_ok=True)
        return inner, BankSharingExecutor(inner, tmp_path / "pool", digest, inner.banks)

    _, one = executor("one")
    # As long as its last epoch has not ended, nobody can go on with it.
    epochs_of(one, "whole", range(2))
    first, again = executor("one")
    trained = epochs_of(again, "whole", [2])
    assert not first.jobs and [outcome.score for outcome in trained] == [2.0]
    _, two = executor("two")
    found = epochs_of(two, "whole")
    assert [(each.score, each.train_seconds) for each in found] == [(0, 2), (1, 2), (2, 2)]
    assert [p.name for p in (tmp_path / "two" / "banks").iterdir()] == ["whole-0003"]
    assert (tmp_path / "two" / "banks" / "whole-0003" / "bank.json").read_text() == "whole-0003"
    # Parts are a search's own, and so is what another digest has.
    _, part = executor("two")
    epochs_of(part, "1from0-none", [0])
    _, other = executor("three", "e")
    epochs_of(other, "whole")
    assert len(list((tmp_path / "three" / "banks").iterdir())) == 3


def test_supernets_are_the_same_where_all_but_what_follows_is():
    def digest(seed=0, **changes):
        own = SupernetSettings(**changes)
        return bank_digest(search_settings(seed=seed, supernet=own))

    same = {digest(), digest(split=("1<-0",), split_epochs=3, control=True), digest(agent_batch=3)}
    assert len(same) == 1 and same.pop()
    assert len({digest(), digest(epochs=3), digest(seed=1), digest(paths="fair")}) == 4
    assert digest(paths="agent") == bank_digest(search_settings()) == ""


def test_directories_of_searches_are_names_of_files(tmp_path):
    path = directory_of(tmp_path, "random+predictor:pool=7", 3)
    assert path == tmp_path / "runs" / "random-predictor-pool=7-3"


def test_what_a_search_says_is_kept_and_the_last_line_told_now_and_then(tmp_path):
    now, told = [0.0], io.StringIO()
    relay = Relay(tmp_path / "logs" / "a.log", "enas, seed 0", told, 10, lambda: now[0])
    for seconds, text in [(1, "one\ntw"), (11, "o\nthree\nfo"), (12, "ur\n")]:
        now[0] = seconds
        relay.write(text)
    relay.close()
    assert (tmp_path / "logs" / "a.log").read_text() == "one\ntwo\nthree\nfour\n"
    assert told.getvalue() == "enas, seed 0: three\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [("residual", "accuracy 32.30 %"), ("lstm", "perplexity 3.10")],
)
def test_what_judges_a_trial_is_told_with_two_digits(tmp_path, code, told):
    trial = Trial(
        *(7, 1, 0.0, code_of(code), "hash", 0, Status.COMPLETED),
        **dict.fromkeys(("density", "parameters", "flops", "block_flops", "depth"), 1),
        accuracies=[32.300000000000004],
    )
    relay = Relay(tmp_path / "a.log", "random, seed 0", io.StringIO(), 10, lambda: 0.0)
    relay.trial(trial)
    relay.close()
    assert (tmp_path / "a.log").read_text() == f"trial 7 trained: {told}\n"
