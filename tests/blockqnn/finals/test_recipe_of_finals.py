"""Finals whose trainings have another recipe than the search had."""

import json
import re

import pytest

from tests.blockqnn.finals.test_finals_command import (  # noqa: F401
    DRY,
    ROUNDS,
    dry_run,
    finals,
    record,
    scripted,
)

OTHER = ("--optimiser=momentum", "--learning_rate=0.1", "--schedule=cosine", "--weight_decay=0.001")


def test_trainings_have_the_recipe_that_is_named(dry_run, scripted):  # noqa: F811
    rounds = scripted(lambda trial, job: 50.0 + trial)
    out = finals(dry_run, ROUNDS, *OTHER)
    recipes = [search.recipe for search, _ in rounds]
    assert [(r.optimiser, r.learning_rate, r.schedule, r.weight_decay) for r in recipes] == [
        ("momentum", 0.1, "cosine", 0.001)
    ] * 2
    assert f"Recipe:  the search's, but {' '.join(OTHER)}\n" in out
    assert record(dry_run).finals.plan.recipe == OTHER
    # Nothing of the run itself is another one.
    assert record(dry_run).flags["optimiser"] == "adam"
    facts = json.loads(dry_run("finals", "run", "--format=json")[1])
    assert facts["recipe"] == list(OTHER)
    assert f"2 trainings each; {' '.join(OTHER)}):" in dry_run("show", "run")[1]


def test_finals_go_on_with_the_recipe_that_they_were_begun_with(dry_run, scripted):  # noqa: F811
    def interrupted(trial, job):
        raise KeyboardInterrupt

    scripted(interrupted)
    assert dry_run("finals", "run", "--executor=inline", ROUNDS, *OTHER)[0] == 130
    rounds = scripted(lambda trial, job: 50.0 + trial)
    finals(dry_run)
    assert {search.recipe.optimiser for search, _ in rounds} == {"momentum"}
    assert record(dry_run).finals.plan.recipe == OTHER


@pytest.mark.parametrize(
    ("begun", "given", "words"),
    [
        ((), OTHER, ("by the search's recipe", " ".join(OTHER))),
        (OTHER, OTHER[:2], (" ".join(OTHER), " ".join(OTHER[:2]))),
    ],
)
def test_another_recipe_needs_to_begin_again(dry_run, scripted, begun, given, words):  # noqa: F811
    rounds = scripted(lambda trial, job: 50.0 + trial)
    finals(dry_run, ROUNDS, *begun)
    status, _, err = dry_run("finals", "run", "--executor=inline", ROUNDS, *given)
    wanted = [f"{ROUNDS} {each}" for each in words]
    assert (status, err.count("\n")) == (2, 1)
    assert f"has finals with {wanted[0]}; given is {wanted[1]}. " in err
    assert "--again drops them" in err
    rounds.clear()
    finals(dry_run, ROUNDS, *given, "--again")
    assert {search.recipe.optimiser for search, _ in rounds} == {"momentum"}
    rounds.clear()
    # As the rounds do, the recipe stays where none is named.
    finals(dry_run, ROUNDS, "--again")
    assert record(dry_run).finals.plan.recipe == given
    # What is the search's is no difference.
    finals(dry_run, "--again", "--optimiser=adam")
    assert {search.recipe.optimiser for search, _ in rounds} == {"momentum", "adam"}
    assert record(dry_run).finals.plan.recipe == ()


def test_a_search_that_ends_in_finals_does_not_take_others_for_its_own(dry_run, scripted):  # noqa: F811
    scripted(lambda trial, job: 50.0 + trial)
    finals(dry_run, ROUNDS, *OTHER)
    words = (*DRY, "--evaluator=dry", "--executor=inline", f"--finals={ROUNDS.partition('=')[2]}")
    status, _, err = dry_run("search", *words)
    assert status == 2
    rounds = "--finals=6:8,3:16:2"
    kept = f"{rounds} {OF_SEARCH}"
    assert (
        f"has finals with {kept}; given is {rounds} --finals_recipe=search. {kept} goes on" in err
    )
    assert dry_run("search", *words, OF_SEARCH)[0] == 0
    # What it says to do to have the others, does.
    given = re.search(r"blockqnn (finals .*) drops them and trains", err)[1].split()
    assert given[-2:] == ["--schedule=steps", "--weight_decay=0"]
    assert dry_run(*given, "--executor=inline")[0] == 0
    assert record(dry_run).finals.plan.recipe == ()
    assert dry_run("search", *words)[0] == 0


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--optimiser=sgd", "--optimiser"),
        ("--learning_rate=-1", "--learning_rate"),
        ("--momentum=0.5", "--momentum"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(dry_run, flag, words):  # noqa: F811
    """The last has no effect with the search's Adam."""
    status, _, err = dry_run("finals", "run", "--executor=inline", ROUNDS, flag)
    assert (status, err.count("\n"), words in err) == (2, 1, True)
    assert record(dry_run).finals is None


OF_SEARCH = "--finals_recipe=" + ",".join(flag.removeprefix("--") for flag in OTHER)


def test_a_search_ends_in_finals_with_the_recipe_that_it_was_given(blockqnn, scripted):  # noqa: F811
    rounds = scripted(lambda trial, job: 50.0 + trial)
    words = ("search", *DRY, "--evaluator=dry", "--executor=inline", "--finals=6:8,3:16:2")
    # In another order and as other texts of the same numbers.
    written = "schedule=cosine, learning_rate=0.10,optimiser=momentum,weight_decay=1e-3"
    status, out, err = blockqnn(*words, f"--finals_recipe={written}")
    assert (status, err) == (0, "")
    recipes = [search.recipe for search, _ in rounds]
    assert [(r.optimiser, r.learning_rate, r.schedule, r.weight_decay) for r in recipes] == [
        ("momentum", 0.1, "cosine", 0.001)
    ] * 2
    assert [(r.epochs, r.batch_size) for r in recipes] == [(8, 64), (16, 64)]
    assert f"\n         by the search's recipe, but {' '.join(OTHER)}\n" in out
    run = record(blockqnn)
    assert (run.finals.plan.recipe, run.flags["optimiser"]) == (OTHER, "adam")
    # The search has ended, and its finals; they are not other ones for naming no recipe.
    assert blockqnn("finals", "run", "--executor=inline", "--rounds=6:8,3:16:2")[0] == 0
    assert [blockqnn(*words, *more)[0] for more in ((OF_SEARCH,), ())] == [0, 0]
    assert len(rounds) == 2
    status, _, err = blockqnn(*words, "--finals_recipe=search")
    assert status == 2 and "given is --finals=6:8,3:16:2 --finals_recipe=search. " in err


def test_the_same_numbers_are_the_same_recipe_however_they_are_written(dry_run, scripted):  # noqa: F811
    rounds = scripted(lambda trial, job: 50.0 + trial)
    finals(dry_run, ROUNDS, "--optimiser=momentum", "--learning_rate=.05", "--batch_size=64")
    # The search has batches of 64 itself.
    assert record(dry_run).finals.plan.recipe == ("--optimiser=momentum", "--learning_rate=0.05")
    finals(dry_run, ROUNDS, "--optimiser=momentum", "--learning_rate=5e-2")
    assert len(rounds) == 2


def test_finals_of_their_own_have_the_recipe_that_the_search_names(blockqnn, scripted):  # noqa: F811
    blockqnn("search", *DRY, "--evaluator=dry", "--finals=6:8", OF_SEARCH, "--max_blocks=12")
    rounds = scripted(lambda trial, job: 50.0 + trial)
    finals(blockqnn, "--rounds=4:8", "--again")
    finals(blockqnn, "--rounds=4:8", "--again", "--optimiser=adam")
    assert [search.recipe.optimiser for search, _ in rounds] == ["momentum", "adam"]
    assert record(blockqnn).finals.plan.recipe == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("optimiser=sgd", "--finals_recipe=optimiser=sgd: --optimiser=sgd: allowed: adam or"),
        ("learning_rate=-1", "-1: --learning_rate=-1: allowed: a number above 0. See"),
        ("epochs=3", "'epochs' is none of optimiser, learning_rate,"),
        ("momentum", "allowed: search, or flags"),
        ("optimiser=momentum,", "allowed: search, or flags"),
        ("learning_rate=0.1,learning_rate=0.2", "a name stands in it twice"),
        ("momentum=0.5", "--momentum belongs to momentum; this finals recipe's optimiser is adam."),
        ("optimiser=momentum,decay_epochs=3,schedule=cosine", "--decay_epochs belongs to steps; "),
    ],
)
def test_a_recipe_of_a_search_that_cannot_be_is_refused(blockqnn, given, words):
    rest = (*DRY, "--evaluator=dry", "--finals=6:8")
    status, out, err = blockqnn("search", *rest, f"--finals_recipe={given}")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err.replace("flag ", "")
    assert not (blockqnn.directory / "run").exists()


def test_a_recipe_needs_finals_where_no_preset_names_it(blockqnn):
    status, out, err = blockqnn("search", *DRY, "--evaluator=dry", OF_SEARCH)
    assert (status, out) == (2, "")
    assert "this search has none; name --finals=ROUNDS as well" in err


def test_a_recipe_of_language_models_is_refused_before_images_are_searched(blockqnn):
    words = ("search", "--preset=smoke", "--finals=1:1", "--finals_recipe=optimiser=asgd")
    status, out, err = blockqnn(*words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "--optimiser=asgd is for language models" in err
    assert not (blockqnn.directory / "runs").exists()


def test_a_text_is_not_augmented(blockqnn, tmp_path):
    (tmp_path / "train.txt").write_text("a b c d\n" * 40)
    data = f"--dataset=text:{tmp_path / 'train.txt'}"
    recipe = "--finals_recipe=augmentation=padded"
    for flags in (("--augmentation=padded",), ("--finals=1:1", recipe)):
        status, _, err = blockqnn("search", "--preset=rnn_text", data, *flags)
        assert (status, err.count("\n")) == (2, 1)
        assert "--augmentation is about images; leave it out with --space=" in err
