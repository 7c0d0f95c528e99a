"""The verb `finals` and `search --finals`, through the real `main`."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time

import pytest

from blockqnn.export.subject import find_subject
from blockqnn.finals import work
from blockqnn.finals.planning import usual_rounds
from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.layout import Layout
from blockqnn.runs.rounds import Round
from blockqnn.runs.run_record import read_run
from blockqnn.runs.status_file import read_status
from blockqnn.runs.store import Store
from blockqnn.trial import Status
from blockqnn.workers.contract import InlineExecutor

DRY = ("--preset=digits", "--epsilon_schedule=1.0:3", "--run_dir=run")
ROUNDS = "--rounds=6:8,3:16:2"


def finals(blockqnn, *flags, run="run"):
    """Finals that must end well; returns their output."""
    status, out, err = blockqnn("finals", run, "--executor=inline", *flags)
    assert (status, err) == (0, "")
    return out


@pytest.fixture
def dry_run(blockqnn):
    blockqnn.search(*DRY)
    return blockqnn


def record(blockqnn, run="run"):
    return read_run(blockqnn.directory / run)


class Scripted(InlineExecutor):
    """Ends each training at an accuracy by its trial, or fails it."""

    def __init__(self, accuracy, reasons=None, settings=None):
        self._accuracy, self._reasons, self._settings = accuracy, reasons or {}, settings
        self.waiting = []

    def submit(self, job):
        self.waiting.append(job)

    def next_outcome(self):
        from blockqnn.trial import Outcome

        job = self.waiting.pop()
        trial = work.trial_of_job(job.number)
        if trial in self._reasons:
            return job.number, Outcome(reason=self._reasons[trial])
        found = self._accuracy(trial, job)
        epochs = self._settings.recipe.epochs
        return job.number, Outcome(accuracies=(1.0,) * (epochs - 1) + (found,), train_seconds=1.0)


@pytest.fixture
def scripted(monkeypatch):
    """Makes finals train by a script; what each round was asked to do."""

    def use(accuracy, reasons=None):
        rounds = []

        def make(search, run, watcher):
            rounds.append((search, run))
            return Scripted(accuracy, reasons, search)

        monkeypatch.setattr(work, "make_executor", make)
        return rounds

    return use


def test_the_winner_of_the_last_round_is_the_best(dry_run, scripted):
    before = dry_run.trials("run")
    ranked = [t.number for t in record(dry_run).by_reward]
    # Who entered last is best in round 1, and second best in round 2.
    place = {number: rank for rank, number in enumerate(ranked)}
    rounds = scripted(lambda trial, job: 50.0 + place[trial] - 3.0 * (trial == ranked[5]))
    out = finals(dry_run, ROUNDS)
    assert [(s.recipe.epochs, s.recipe.decay_epochs) for s, _ in rounds] == [(8, 10), (16, 20)]
    assert [s.blocks_per_iteration for s, _ in rounds] == [6, 6]
    assert [r.child_timeout_seconds for _, r in rounds] == [7200.0, 14400.0]
    run = record(dry_run)
    # By hand: 50 to 54, and 52 for the last.
    first, second, third, fourth, fifth, last = ranked[:6]
    assert run.finals.orders == [
        [fifth, fourth, third, last, second, first],
        [fifth, fourth, third],
    ]
    assert [t.number for t in run.best(7)] == [
        fifth, fourth, third, last, second, first, ranked[6],
    ]  # fmt: skip
    assert "fell out in round 1, as rank 6 of 6" in out
    assert re.search(rf"^ +1 +{fifth} +5 +16 +54\.00 \+- 0\.00 ", out, re.MULTILINE)
    assert "Round 1 of 2: 6 blocks for 8 epochs." in out
    assert "Round 2 of 2: the best 3 blocks for 16 epochs, 2 trainings each." in out
    assert "blockqnn show run#best" in out
    after = dry_run.trials("run")
    for name in ("final_rank", "final_accuracy"):
        for trial in (*before, *after):
            trial.pop(name)
    assert before == after


def test_trainings_have_seeds_of_their_own_and_the_same_ones_again(dry_run):
    finals(dry_run, ROUNDS)
    run = record(dry_run)
    trainings = run.finals.trainings
    assert len(trainings) == len({t.seed for t in trainings}) == 6 + 3 * 2
    assert not {t.seed for t in trainings} & {t.seed for t in run.trials}
    assert {len(t.accuracies) for t in trainings if t.round == 2} == {16}
    finals(dry_run, ROUNDS, "--again")
    again = record(dry_run).finals.trainings
    assert [(t.seed, t.accuracies) for t in again] == [(t.seed, t.accuracies) for t in trainings]


def test_a_dry_run_says_that_its_finals_are_made_up(dry_run):
    assert finals(dry_run).count(DRY_NOTICE) == 2


def test_usual_rounds_cost_about_as_much_as_the_search():
    assert usual_rounds(230, 4) == (Round(23, 12), Round(7, 36, 2))
    assert usual_rounds(10, 1, seeds=3) == (Round(4, 3, 3), Round(2, 9, 3))
    assert usual_rounds(5000, 12)[0] == Round(40, 36)


def test_finals_that_have_ended_are_told_again_and_not_trained(dry_run):
    out = finals(dry_run, ROUNDS)
    again = finals(dry_run)
    assert "Round 1 of" not in again
    table = out[out.index("rank  trial") :]
    assert again.endswith(table)


def test_as_json(dry_run):
    finals(dry_run, ROUNDS)
    facts = json.loads(finals(dry_run, "--format=json"))
    assert [(r["blocks"], r["epochs"], r["seeds"]) for r in facts["rounds"]] == [
        (6, 8, 1),
        (3, 16, 2),
    ]
    assert [row["rank"] for row in facts["ranking"]] == [1, 2, 3, 4, 5, 6]
    assert facts["rounds"][0]["spearman"]["value"] <= 1
    assert facts["best_early"]["trial"] == record(dry_run).by_reward[0].number
    assert (facts["dry"], facts["trained"]) == (True, len(record(dry_run).by_reward))


def test_what_failed_is_listed_with_its_reason(dry_run, scripted):
    victim = record(dry_run).by_reward[0].number
    scripted(lambda trial, job: 60.0, {victim: "out of memory"})
    out = finals(dry_run, "--top=3", "--epochs=5", "--seeds=2")
    assert f"trial {victim}, seed 1 failed: out of memory" in out
    assert "2 trainings failed, which count as guessing." in out
    run = record(dry_run)
    assert run.finals.ranking[-1] == victim
    assert run.finals.last_result(victim).mean == 10.0
    assert run.by_reward[0].status is Status.COMPLETED


def test_what_the_early_pick_costs_is_told_in_points(dry_run, scripted):
    ranked = [t.number for t in record(dry_run).by_reward]
    scripted(lambda trial, job: 70.0 if trial == ranked[0] else 71.25 if trial == ranked[1] else 60)
    out = finals(dry_run, "--top=4")
    assert f"trial {ranked[0]}, came to rank 2: taking it would have cost 1.25 points." in out
    assert "over the 4 blocks of round 1" in out


def test_other_rounds_are_refused_unless_the_earlier_ones_shall_go(dry_run):
    finals(dry_run, ROUNDS)
    kept = record(dry_run).finals.trainings
    for flags in (["--rounds=6:8"], ["--top=2", "--epochs=3"], ["--seeds=4"]):
        status, _, err = dry_run("finals", "run", *flags)
        assert status == 2
        assert "The run in run has finals with --rounds=6:8,3:16:2; given is --rounds=" in err
        assert "--again drops them and begins anew" in err
    status, _, err = dry_run("finals", "run", "--train_examples=300")
    assert status == 2
    assert "--train_examples=0; given is" in err
    assert record(dry_run).finals.trainings == kept
    out = finals(dry_run, "--rounds=2:5", "--again")
    assert "The earlier finals (12 trainings) were dropped." in out
    assert len(record(dry_run).finals.trainings) == 2


def test_fewer_blocks_than_asked_all_enter(dry_run):
    trained = len(record(dry_run).by_reward)
    out = finals(dry_run, f"--rounds={trained + 9}:2,2:2")
    assert f"Round 1 is for {trained + 9} blocks; the run has trained {trained} different" in out
    assert len(record(dry_run).finals.ranking) == trained


def test_a_search_that_goes_on_makes_finals_old_and_they_can_be_renewed(dry_run):
    finals(dry_run, ROUNDS)
    first = record(dry_run)
    more = ("--preset=digits", "--epsilon_schedule=1.0:3,0.5:2", "--run_dir=run")
    out = dry_run.search(*more)
    run = record(dry_run)
    sentence = (
        f"The finals were of {len(first.by_reward)} blocks; "
        f"{len(run.by_reward) - len(first.by_reward)} more were trained since."
    )
    assert sentence in out
    assert run.finals.ranking == first.finals.ranking
    for words in (["show", "run#best"], ["show", "run"], ["draw", "run#best"]):
        status, out, _ = dry_run(*words)
        assert (status, sentence in out) == (0, True), words
    assert sentence not in dry_run("show", "run#best_early")[1]
    out = finals(dry_run)
    assert "more were trained since, so the best of all" in out
    assert re.search(r"[1-6] trainings? of round 1 need not be repeated", out)
    run = record(dry_run)
    assert run.finals.plan.trained == len(run.by_reward)
    assert not run.stale_finals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none"], "There is no run in none"),
        ([], "finals takes one RUN_DIR"),
        (["run", "--rounds=4:3,5:9"], "5, which are more, in round 2"),
        (["run", "--rounds=4:3,2:2"], "fewer, in round 2"),
        (["run", "--rounds=x"], "allowed: BLOCKS:EPOCHS or"),
        (["run", "--rounds=4:3", "--top=3"], "--rounds and --top both say"),
        (["run", "--rounds=4:3", "--epochs=3"], "--rounds and --epochs both say"),
        (["run", "--workers=x"], "workers"),
        (["run", "--train_examples=x"], "train_examples"),
    ],
)
def test_wrong_input_is_refused_and_begins_nothing(dry_run, words, said):
    status, out, err = dry_run("finals", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert record(dry_run).finals is None


def test_what_was_never_trained_cannot_be_trained_for_longer(blockqnn):
    import blockqnn as library

    library.search(lambda code: 50.0, "fn", budget=4, agent="random", quiet=True)
    status, _, err = blockqnn("finals", "fn")
    assert status == 2
    assert "come from a function, so that there is nothing to train for longer" in err
    from blockqnn.errors import UserError

    with pytest.raises(UserError, match="finals train blocks for longer"):
        library.search(lambda code: 50.0, "fn2", budget=4, finals="2:3", quiet=True)
    status, _, err = blockqnn(
        "search", "--evaluator=table", "--table=t.csv", "--search_column=a", "--finals=4:3"
    )
    assert status == 2
    assert "--finals trains blocks for longer, and with --evaluator=table nothing is" in err


def test_search_ends_in_its_finals_and_tells_them_again(blockqnn):
    given = (*DRY, "--finals=6:8,3:16:2")
    out = blockqnn.search(*given)
    assert out.index("Best blocks by reward") < out.index("Round 1 of 2: 6 blocks for 8 epochs")
    assert out.count("Look at") == 1
    run = record(blockqnn)
    assert run.finals.ended
    again = blockqnn.search(*given)
    assert "Round 1 of 2" not in again
    assert again.endswith(out[out.index("rank  trial  early") :])
    # Finals that differ are refused before a search goes on, and none are needed.
    status, _, err = blockqnn(
        "search", "--evaluator=dry", "--executor=inline", *DRY, "--finals=6:8"
    )
    assert status == 2
    assert "--finals=6:8,3:16:2 goes on with them, --finals=off searches without" in err
    out = blockqnn.search(*DRY, "--finals=off")
    assert f"Its finals were won by trial {run.finals.ranking[0]}, which #best names." in out
    longer = ("--preset=digits", "--epsilon_schedule=1.0:3,0.5:1", "--run_dir=run")
    out = blockqnn.search(*longer, "--finals=6:8,3:16:2")
    assert "so the best of all" in out
    assert not record(blockqnn).stale_finals


def test_both_names_through_every_verb(dry_run, scripted):
    scores = [t.number for t in record(dry_run).by_reward]
    winner, early = scores[3], scores[0]
    scripted(lambda trial, job: 60.0 + (trial == winner))
    finals(dry_run, "--top=5")
    run = record(dry_run)
    for name, number in (("best", winner), ("best_early", early)):
        assert f"trial {number}, iteration" in dry_run("show", f"run#{name}")[1]
        status, out, _ = dry_run("draw", f"run#{name}", "--out=a.svg")
        assert (status, f"Drew run#{number}:" in out) == (0, True)
        assert find_subject(f"run#{name}", Layout(), False, 0, 23).title == f"run#{number}"
    assert f"trial {winner}, iteration" in dry_run("show", f"run#{winner}")[1]
    out = dry_run("show", f"run#{winner}")[1]
    assert f"finals       rank 1 of 5, early rank {scores.index(winner) + 1};" in out
    assert "Finals of" in dry_run("show", "run")[1]
    facts = json.loads(dry_run("show", "run", "--format=json")[1])
    assert [row["trial"] for row in facts["finals"]] == run.finals.ranking
    rows = {t["number"]: t for t in dry_run.trials("run")}
    assert (rows[winner]["final_rank"], rows[scores[7]]["final_rank"]) == (1, None)
    assert rows[winner]["final_accuracy"] == run.final_places[winner][1]
    assert "final rank" in dry_run("trials", "run")[1]
    import blockqnn as library

    opened = library.open_run("run")
    assert opened.block("best").number == opened.best(1)[0].number == winner
    assert opened.block("best_early").number == early
    assert opened.trials.final_rank[winner] == 1
    assert opened.trials.final_accuracy.count() == 5
    assert f"trial {winner}, the winner of the finals" in repr(opened)
    status, _, err = dry_run("show", "run#best_late")
    assert (status, "best, or best_early" in err) == (2, True)
    # The reward ranks as it did.
    assert f"rank 1 of {len(scores)} trained" in dry_run("show", "run#best_early")[1]


def test_train_takes_finalists_first(dry_run):
    from blockqnn.flags.training import parse
    from blockqnn.full_training.preparing import blocks

    finals(dry_run, "--top=3")
    run = record(dry_run)
    wanted = [*run.finals.ranking, *(t.number for t in run.by_reward)]
    for top in (0, 2, 5):
        settings = parse(["run", f"--top={top}", "--dataset=digits"])
        found = [block.trial.number for block in blocks(settings)]
        assert found == list(dict.fromkeys(wanted))[: top or 1]


def test_real_blocks_on_more_images_than_the_search_had(blockqnn):
    status, _, err = blockqnn(
        *("search", "--preset=smoke", "--executor=inline", "--max_layers=1", "--filters=4"),
        *("--epsilon_schedule=1.0:1", "--train_examples=100", "--run_dir=run", "--finals=off"),
    )
    assert (status, err) == (0, "")
    out = finals(blockqnn, "--rounds=2:1,1:2", "--train_examples=150")
    assert "Images:  at most 150 to train on" in out
    run = record(blockqnn)
    assert run.finals.plan.train_examples == 150
    assert run.finals.ended
    assert all(t.device == "cpu" and t.train_seconds > 0 for t in run.finals.trainings)
    winner = run.finals.ranking[0]
    assert len(run.finals.last_result(winner).trainings[0].accuracies) == 2
    # The same images go on without being named.
    assert "Round" not in finals(blockqnn)


THREE_HALVES = "--rounds=12:3,6:9:2"


@contextlib.contextmanager
def slow_finals(*flags):
    """Finals in a process of their own, whose trainings take some hundredths of a second."""
    arguments = ["finals", "run", THREE_HALVES, *flags]
    with subprocess.Popen(
        [sys.executable, "-m", "blockqnn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A signal is for this one alone.
        process_group=0,
    ) as process:
        yield process


def test_finals_that_were_interrupted_and_killed_equal_those_that_were_not(blockqnn):
    blockqnn.search(*DRY, "--dry_seconds=0.03")
    blockqnn.search(*(flag.replace("run_dir=run", "run_dir=whole") for flag in DRY))
    whole = json.loads(finals(blockqnn, THREE_HALVES, "--format=json", run="whole"))

    def ended():
        with contextlib.closing(
            Store.open_read_only(blockqnn.directory / "run" / "store.sqlite")
        ) as store:
            return len(store.finals.trainings())

    with slow_finals("--executor=local", "--workers=1") as process:
        while process.poll() is None and ended() < 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    assert "Stopped; what has finished is in run. The same command continues." in out
    assert 4 <= ended() < 12
    told = blockqnn("status", "run")[1]
    assert "run: finished" in told and "the finals came to round 1 of 2" in told
    before = ended()
    with slow_finals("--executor=inline") as process:
        while process.poll() is None and ended() < 15:
            time.sleep(0.05)
        process.kill()
        out, err = process.communicate()
    assert (process.returncode, err) == (-signal.SIGKILL, "")
    assert f"{12 - before} of 12 trainings are left" in out
    assert 15 <= ended() < 24
    status = read_status(blockqnn.directory / "run" / "status.json")
    assert (status.state, status.search_state, status.finals.rounds) == ("finals", "finished", 2)
    told = blockqnn("status", "run")[1]
    assert "was ended from outside" in told and "continues the finals" in told
    again = json.loads(finals(blockqnn, "--format=json"))
    assert ended() == 24
    for facts in (again, whole):
        facts.pop("seconds")
        facts["run"] = ""
    assert again == whole
    status = read_status(blockqnn.directory / "run" / "status.json")
    assert (status.state, status.finals.ended) == ("finished", 12)
