"""A flag that has no effect on what was chosen is refused, where the user gave it himself."""

import pytest

from blockqnn.agents.registry import AGENTS
from blockqnn.errors import UserError
from blockqnn.flags import own
from blockqnn.flags.flag_text import as_text
from blockqnn.flags.parsing import RECORD_MARK, FlagSet, Owner
from blockqnn.flags.preset_files import preset_names
from blockqnn.flags.recorded_run import parse_recorded
from blockqnn.flags.search import parse
from blockqnn.runs import store
from blockqnn.settings import Recipe

DRY = ("--evaluator=dry", "--preset=smoke")


@pytest.mark.parametrize(
    ("words", "name", "owner", "chosen"),
    [
        (["--agent=random", "--alpha=0.5"], "alpha", "q_learning", "agent is random"),
        (["--agent=random", "--gamma=0.5"], "gamma", "q_learning", "agent is random"),
        (["--agent=q_learning_plus", "--noreward_shaping"], "reward_shaping", "q_learning",
         "agent is q_learning_plus"),
        (["--population=5"], "population", "evolution", "agent is q_learning"),
        (["--agent=evolution", "--centres=5"], "centres", "local_search", "agent is evolution"),
        (["--agent=random", "--ceilings=5"], "ceilings", "q_learning_plus", "agent is random"),
        (["--predictor_pool=5"], "predictor_pool", "forest", "predictor is none"),
        (["--table=t.csv"], "table", "table", "evaluator is dry"),
        (["--search_column=a"], "search_column", "table", "evaluator is dry"),
        (["--evaluator=train", "--dry_seconds=1"], "dry_seconds", "dry", "evaluator is train"),
        (["--ray_address=local"], "ray_address", "ray", "executor is local"),
        (["--executor=inline", "--tpus_per_child=1"], "tpus_per_child", "ray",
         "executor is inline"),
        (["--schedule=one_cycle", "--decay_epochs=2"], "decay_epochs", "steps",
         "schedule is one_cycle"),
        (["--executor=inline", "--workers=2"], "workers", "local or ray", "executor is inline"),
    ],
)  # fmt: skip
def test_it_is_refused_by_its_name_and_its_owner(words, name, owner, chosen):
    with pytest.raises(UserError) as refusal:
        parse([*DRY, *words])
    assert str(refusal.value) == f"--{name} belongs to {owner}; this search's {chosen}."


@pytest.mark.parametrize(
    "words",
    [
        ["--agent=random", "--exploration=by_type", "--epsilon_schedule=1:3"],
        ["--agent=evolution", "--population=5"],
        ["--agent=random", "--predictor=forest", "--predictor_pool=5"],
        ["--executor=ray", "--workers=2", "--cpus_per_child=2", "--gpus_per_child=0.5"],
        ["--executor=local", "--gpus_per_child=0.5"],
        ["--dry_seconds=1"],
        # What a preset has set, and what is so anyway.
        ["--agent=random", "--replay_updates=8"],
        ["--agent=random", "--alpha=0.01", "--population=10"],
    ],
)
def test_what_has_an_effect_or_changes_nothing_passes(words):
    found, _ = parse([*DRY, *words])
    assert found.evaluator == "dry"


@pytest.mark.parametrize("preset", preset_names())
def test_what_a_preset_sets_for_one_agent_is_in_no_others_way(preset):
    for agent in ("random", "evolution", "local_search", "q_learning_plus"):
        words = [f"--preset={preset}", "--evaluator=dry", f"--agent={agent}", "--executor=inline"]
        # Made-up accuracies are no scores of a supernet.
        words.append("--weights=own")
        assert type(parse(words)[0].agent) is AGENTS[agent].settings


CPU = ["--preset=cifar10_cpu", "--evaluator=dry", "--executor=inline"]


def test_a_run_of_one_cycle_is_read_again(tmp_path):
    found, run = parse([*CPU, f"--run_dir={tmp_path}"])
    assert (found.recipe.schedule, found.recipe.learning_rate) == ("one_cycle", 0.003)
    recorded = {name: as_text(value) for name, value in run.flag_values.items()}
    assert parse_recorded(tmp_path, recorded, [])[0].recipe == found.recipe


def test_a_run_that_is_older_than_schedules_keeps_its_steps_whatever_its_preset_has_now(
    tmp_path, monkeypatch
):
    before = {"agent": "random", "learning_rate": "0.001", "decay_epochs": "2"}
    monkeypatch.setattr(own, "recorded_flags", lambda run_dir: before)
    found, run = parse([*CPU, f"--run_dir={tmp_path}"])
    assert found.recipe == Recipe(epochs=3, batch_size=64, decay_epochs=2)
    assert (run.flag_values["agent"], run.finals) == ("random", "off")


def test_a_flag_file_of_the_users_own_is_his_choice(tmp_path):
    file = tmp_path / "my.flags"
    file.write_text("--alpha=0.5\n--agent=random\n")
    with pytest.raises(UserError, match="--alpha belongs to q_learning"):
        parse([*DRY, f"--flagfile={file}"])
    with pytest.raises(UserError, match="--alpha belongs to q_learning"):
        parse([*DRY, "--flagfile", str(file)])


def written(tmp_path, *words):
    """The settings of a search, and the flag file that its run directory would have."""
    found, run = parse([*words, f"--run_dir={tmp_path}"])
    return found, run.flag_file


SMALL = ("--preset=smoke", "--evaluator=dry", "--agent=random", "--executor=inline")


def test_the_flags_that_a_run_has_kept_continue_it_wherever_they_lie(tmp_path):
    found, text = written(tmp_path, *SMALL)
    assert text.startswith(f"{RECORD_MARK}\n")
    # The usual preset has another number of replays, which a random search does not have.
    assert "--replay_updates=8\n" in text
    file = tmp_path / "kept.flags"
    file.write_text(text)
    assert parse([f"--flagfile={file}"])[0] == found
    assert parse(["--flagfile", str(file)])[0] == found
    with pytest.raises(UserError, match="--replay_updates belongs to q_learning"):
        parse([f"--flagfile={file}", "--replay_updates=9"])


def test_so_do_those_of_a_run_of_an_older_version(tmp_path):
    found, text = written(tmp_path, *SMALL)
    older = text.removeprefix(f"{RECORD_MARK}\n").replace("--population=10\n", "--population=33\n")
    file = tmp_path / "search.flags"
    file.write_text(older)
    with pytest.raises(UserError, match="belongs to"):
        parse([f"--flagfile={file}"])
    # What makes it a run's is the store beside it.
    (tmp_path / store.FILE_NAME).touch()
    assert parse([f"--flagfile={file}"])[0] == found


def test_owners_of_any_flag_set():
    def flags(*words):
        made = FlagSet("verb", "", "Does something.")
        made.group("Choice")
        made.choice("who", "a", ("a", "b", "c"), "one of three")
        made.group("Of two", Owner("who", ("b", "c")))
        made.integer("size", 3, "a size")
        made.parse(words)
        return made

    for words in (["--size=3"], ["--who=b", "--size=4"], ["--who=c", "--size=4"]):
        flags(*words).refuse_without_effect("thing")
    with pytest.raises(UserError, match="--size belongs to b or c; this thing's who is a"):
        flags("--size=4").refuse_without_effect("thing")
    flags("--size=4").refuse_without_effect("thing", {"size": 4})
