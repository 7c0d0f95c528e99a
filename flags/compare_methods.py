"""The flags of `compare --methods`."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blockqnn.agents.registry import AGENTS
from blockqnn.contests.method_runs import directory_of
from blockqnn.contests.methods import (
    EVERY,
    METHODS,
    OWN_WEIGHTS,
    Player,
    flags_of_agent,
    parse_player,
)
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE, TRAIN
from blockqnn.evaluation.table import read_table
from blockqnn.evaluation.table_space import made_space
from blockqnn.flags import execution, parsing, search, training, training_words
from blockqnn.flags.own import recorded_flags
from blockqnn.runs.rounds import OFF, ROUNDS_ALLOWED, canonical, check_rounds, parse_rounds
from blockqnn.runs.run_directory import SCHEDULE
from blockqnn.settings import RunSettings, SearchSettings

if TYPE_CHECKING:
    from blockqnn.contests.method_settings import MethodSettings

AUTO, BOTH = "auto", "both"
_SEEDS = 3
_EVALUATIONS = 100
"""To which agents are sized where there are seconds alone."""
OF_METHODS = (
    "seconds",
    "sized_to",
    "evaluation_seconds",
    "judge",
    "judge_seeds",
    "judge_flags",
    "finals",
)
"""Flags that say nothing of a contest of agents."""
_OF_AGENTS = ("target",)
"""Flags that say nothing of a contest of methods."""


def define(flags: parsing.FlagSet) -> None:
    """Adds the choice, and a group of what belongs to it."""
    flags.group("Methods, judged by what they chose (--methods)")
    flags.special(
        "methods",
        (),
        "methods with commas between them, in place of --agents: "
        f"{', '.join((*AGENTS, *METHODS))}; fields of an agent's settings, or flags of the search "
        "of another method, are changed after colons, as in one_shot:supernet_epochs=80. What "
        "supernets are, the preset says for all of them",
        words,
        "names with commas between them",
    )
    flags.special(
        "seconds",
        (),
        "seconds of one device, with commas between them, everything counted; empty for none",
        _seconds,
        "positive numbers with commas between them",
    )
    flags.integer(
        "sized_to",
        0,
        "evaluations to which schedules and random phases of agents with children are sized; 0 for "
        f"the largest of --budgets, or {_EVALUATIONS} where there are seconds alone",
    )
    flags.number(
        "evaluation_seconds",
        0.0,
        "seconds that an evaluation counts with --evaluator=table, which --seconds needs there",
        least=0,
    )
    flags.choice(
        "judge",
        AUTO,
        (AUTO, TABLE, TRAIN, BOTH),
        "what is chosen is looked up, trained to the end and measured on test images, or both; "
        "auto: looked up where there is a --table",
    )
    flags.integer("judge_seeds", 3, "trainings to the end of each design that was chosen", 1)
    flags.path(
        "judge_flags", "", "file of flags of train, one a line, for these, such as --epochs=15"
    )
    flags.special(
        "finals",
        OFF,
        "what every search ends with: BLOCKS:EPOCHS[:SEEDS] for each round, as search has them; "
        f"their seconds are counted; {OFF} for none",
        canonical,
        ROUNDS_ALLOWED,
    )


def method_settings(flags: parsing.FlagSet) -> MethodSettings:
    """What to compare.

    Args:
        flags: of `compare`, read.

    Returns:
        The settings.

    Raises:
        UserError: if flags contradict one another.
    """
    from blockqnn.contests.method_settings import MethodSettings

    value = flags.chosen()
    if flags.values["agents"].present:
        raise UserError("--methods and --agents both say who plays; give one of them.")
    for name in _OF_AGENTS:
        if flags.values[name].present:
            raise UserError(f"--{name} is about a contest of agents; name them by --agents.")
    players = tuple(parse_player(title) for title in value["methods"])
    _refuse(flags, value, players)
    table = bool(value["table"])
    budgets = value["budgets"]
    if value["seconds"] and not flags.values["budgets"].present:
        budgets = ()
    real = value["evaluator"] != TABLE or any(p.contestant is None for p in players)
    judge = value["judge"]
    size = value["sized_to"] or max(budgets, default=_EVALUATIONS)
    prepare = _prepare(flags, value, size)
    judged_by_training = judge in (TRAIN, BOTH) or (judge == AUTO and not table)
    judge_flags = _flags_of_file(value["judge_flags"], training.define())
    if judged_by_training:
        _refuse_unjudged(judge_flags, prepare(players[0], 0)[0])
    return MethodSettings(
        players=players,
        prepare=prepare,
        evaluator=value["evaluator"],
        table=value["table"],
        search_column=value["search_column"],
        judge_column=value["judge_column"],
        judged_by_training=judged_by_training,
        judge_seeds=value["judge_seeds"],
        judge_flags=judge_flags,
        budgets=budgets,
        seconds=value["seconds"],
        sized_to=size,
        evaluation_seconds=value["evaluation_seconds"],
        seeds=_SEEDS if real and not flags.values["seeds"].present else value["seeds"],
        rounds=parse_rounds(value["finals"]),
        workers=value["workers"],
        out_dir=pathlib.Path(value["out_dir"]),
        figure=pathlib.Path(value["out"]) if value["out"] else None,
        as_json=value["format"] == "json",
    )


def words(text: str) -> tuple[str, ...]:
    """Names with commas between them, each once."""
    found = tuple(word.strip() for word in text.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise ValueError
    return found


def _refuse(flags: parsing.FlagSet, value: Mapping[str, Any], players: tuple[Player, ...]) -> None:
    looked_up = value["evaluator"] == TABLE
    check_rounds(parse_rounds(value["finals"]), "--finals")
    if value["judge"] in (TABLE, BOTH) and not value["table"]:
        raise UserError(f"--judge={value['judge']} needs --table.")
    if looked_up and not value["table"]:
        raise UserError(
            "--evaluator=table needs --table; --evaluator=train trains children instead."
        )
    agents = [player.title for player in players if player.contestant is not None]
    if looked_up and len(agents) == len(players):
        execution.refuse_executor(flags)
    if value["sized_to"] and not agents:
        raise UserError("--sized_to is about agents; no method named here is one.")
    if looked_up and agents and value["sized_to"]:
        raise UserError(
            "--sized_to is about agents with children of their own; those that look a table up "
            "are sized to --budgets, and to what --seconds hold."
        )
    if looked_up and agents and value["judge"] in (TRAIN, BOTH):
        raise UserError(
            f"--judge={value['judge']} trains what was chosen, and with --evaluator=table agents "
            "choose among accuracies of the table; they are judged by it too."
        )
    if looked_up and agents and parse_rounds(value["finals"]):
        raise UserError(
            "--finals trains designs for longer, and with --evaluator=table agents train nothing."
        )
    if looked_up and agents and value["seconds"] and not value["evaluation_seconds"]:
        raise UserError(
            "--seconds with --evaluator=table needs --evaluation_seconds: how many seconds of a "
            "device an evaluation of the table stands for."
        )
    if value["evaluator"] == DRY and (value["judge"] != AUTO or not value["table"]):
        raise UserError(
            "--evaluator=dry makes accuracies up, and what it chose is worth no training; it "
            "goes with --table alone."
        )


def _refuse_unjudged(judge_flags: Sequence[str], found: SearchSettings) -> None:
    """Refuses flags of trainings to the end that say in the end how good no design is."""
    verb = (training_words if found.layout.of_words else training).define()
    words = verb.parse(judge_flags)
    if words:
        raise UserError(f"--judge_flags has {words[0]!r}; allowed: flags of train, one a line.")
    if not verb.values["test"].value:
        raise UserError(
            "--judge_flags has --notest, and what is measured on nothing judges nothing; leave it "
            "out."
        )
    if "top" in verb.values and verb.values["top"].value:
        raise UserError(
            "--judge_flags has --top, and each design that was chosen is trained by itself; leave "
            "it out."
        )


def _prepare(flags: parsing.FlagSet, value: Mapping[str, Any], size: int) -> Any:
    """What makes the settings of a method's search."""
    base = [f"--preset={value['preset']}"]
    # Like a preset, such a file has flags of supernets too, which agents do without.
    kept = _flags_of_file(value["search_flags"], search.define())
    if value["data_dir"]:
        base.append(f"--data_dir={value['data_dir']}")
    if value["space"] != AUTO:
        base.append(f"--space={made_space(value['space'], value['table'])}")
    elif value["table"]:
        base.append(f"--space={_space_of(value)}")
    if value["match"] is not None:
        base.append(f"--match={value['match']}")
    if value["workers"]:
        base.append(f"--workers={value['workers']}")
    base += [*execution.executor_words(flags), *EVERY]
    of_agents = [*OWN_WEIGHTS, f"--evaluator={value['evaluator']}"]
    if value["evaluator"] == TABLE:
        of_agents += [f"--table={value['table']}", f"--search_column={value['search_column']}"]

    def prepare(player: Player, seed: int) -> tuple[SearchSettings, RunSettings]:
        """What a method searches by a seed, and how."""
        run_dir = directory_of(pathlib.Path(value["out_dir"]), player.title, seed)
        own = [*base, f"--seed={seed}", f"--run_dir={run_dir}"]
        if player.contestant is None:
            # Where agents look up, supernets still train on images.
            return search.parse([*own, f"--evaluator={TRAIN}", *player.flags], kept)
        own += of_agents
        # What a run that has begun says of its agent is no part of the preset.
        plain, _ = search.parse([*own, f"--run_dir={run_dir / 'none'}"], kept)
        config = player.contestant.config(size, plain)
        # Whoever has no use for the schedule goes on to another budget.
        begun = {} if player.contestant.is_sized else recorded_flags(run_dir)
        schedule = begun.get(SCHEDULE, "")
        agent = flags_of_agent(config, plain.blocks_per_iteration, size, schedule)
        return search.parse([*own, *agent], kept)

    return prepare


def _space_of(value: Mapping[str, Any]) -> str:
    columns = (value["search_column"],) if value["evaluator"] == TABLE else ()
    return read_table(value["table"], (*columns, value["judge_column"])).space().name


def _flags_of_file(path: str, verb: parsing.FlagSet) -> tuple[str, ...]:
    """The words of a file of flags."""
    return tuple(verb.expanded([f"--flagfile={path}"])) if path else ()


def _seconds(text: str) -> tuple[float, ...]:
    if not text:
        return ()
    found = tuple(sorted({float(word) for word in text.split(",")}))
    if not all(math.isfinite(each) and each > 0 for each in found):
        raise ValueError
    return found


def refuse_for_agents(flags: parsing.FlagSet) -> None:
    """Refuses, in a contest of agents, what is of a contest of methods.

    Raises:
        UserError: if there is such a flag.
    """
    for name in OF_METHODS:
        if flags.values[name].present:
            raise UserError(f"--{name} is about a contest of methods; name them by --methods.")
