"""The flags of `compare`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from blockqnn.agents.registry import AGENTS
from blockqnn.contests.command import CompareSettings
from blockqnn.contests.contestants import Contestant, parse_contestant
from blockqnn.contests.real_command import RealCompareSettings
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE, TRAIN
from blockqnn.flags import parsing, search
from blockqnn.networks.spaces.registry import SPACES

_AGENTS = ("random", "evolution", "q_learning", "q_learning_plus")
_BUDGETS = (100, 200, 500, 1000)
_AUTO = "auto"
_OF_TABLES = ("table", "search_column", "judge_column")
_OF_CHILDREN = ("preset", "search_flags", "data_dir")


def define() -> parsing.FlagSet:
    """The flags of `compare`, at their defaults."""
    flags = parsing.FlagSet(
        "compare",
        "",
        "Lets agents search a table of accuracies, or real children, and says who finds what.",
    )
    flags.group("Who and where")
    flags.special(
        "agents",
        _AGENTS,
        f"with commas between them: {', '.join(AGENTS)}; fields of an agent's settings are changed "
        "after colons, as in evolution:population=50, and +predictor puts one in front, as in "
        "random+predictor:pool=50; the others are tested against the first",
        _words,
        "names with commas between them",
    )
    flags.choice(
        "space",
        _AUTO,
        (_AUTO, *SPACES),
        "what is designed; auto: what the codes of the table are, with real children what the "
        "preset has",
    )
    flags.text("table", "", "CSV file of accuracies in percent with a column code or arch_str")
    flags.text("search_column", "cifar10_valid_hp12", "of the table: what the agents see")
    flags.text(
        "judge_column",
        "cifar10_test_hp200_mean",
        "of the table: what the best by the other column is judged by",
    )
    flags.group("With real children")
    flags.choice(
        "evaluator",
        TABLE,
        (TABLE, TRAIN, DRY),
        "look accuracies up, train children, or make accuracies up",
    )
    flags.text(
        "preset",
        parsing.DEFAULT_PRESET,
        f"of the search that is carried out: {', '.join(parsing.preset_names())}",
    )
    flags.text(
        "search_flags", "", "file of flags of search, one a line, that override the preset's"
    )
    flags.text("data_dir", "", "where TFDS keeps data sets; empty for its default")
    flags.group("How much")
    flags.special(
        "budgets",
        _BUDGETS,
        "evaluations, with commas between them",
        _budgets,
        "positive integers with commas between them",
    )
    flags.integer("seeds", 100, "runs of each agent", 1)
    flags.number(
        "target",
        0.0,
        "judged accuracy to reach, in percent, or with real children the reward; 0 for 0.2 points "
        "below the best of the table, or for the first agent's mean reward",
        least=-1000,
        most=1000,
    )
    flags.integer("workers", 0, "processes; 0 for one a core, or as search has it")
    flags.group("Output")
    flags.choice("format", "table", ("table", "json"), "for people, or one JSON object")
    flags.text("out_dir", "runs/compare", "directory of the runs; the same command continues there")
    flags.text("out", "", "file for the curve of simple regret: .svg, .png or .pdf")
    return flags


def parse(arguments: Sequence[str]) -> CompareSettings | RealCompareSettings:
    """Turns the command line of `compare` into settings.

    Args:
        arguments: what follows `compare`.

    Returns:
        What to compare.

    Raises:
        UserError: if the command line cannot be used.
    """
    flags = define()
    words = flags.parse(arguments)
    if words:
        raise UserError(
            f"compare takes flags alone, given {words[0]!r}. See: python -m blockqnn compare --help"
        )
    value = flags.chosen()
    contestants = tuple(parse_contestant(title) for title in value["agents"])
    with_table = value["evaluator"] == TABLE
    _refuse_meaningless(value, _OF_CHILDREN if with_table else _OF_TABLES)
    if not with_table:
        return _with_children(value, contestants)
    if not value["table"]:
        raise UserError("compare needs --table. See: python -m blockqnn compare --help")
    return CompareSettings(
        contestants=contestants,
        space="" if value["space"] == _AUTO else value["space"],
        table=value["table"],
        search_column=value["search_column"],
        judge_column=value["judge_column"],
        budgets=value["budgets"],
        seeds=value["seeds"],
        target=value["target"],
        workers=value["workers"],
        out_dir=pathlib.Path(value["out_dir"]),
        figure=_figure(value),
        as_json=value["format"] == "json",
    )


def _with_children(
    value: dict[str, Any], contestants: tuple[Contestant, ...]
) -> RealCompareSettings:
    words = [f"--preset={value['preset']}"]
    if value["search_flags"]:
        words.append(f"--flagfile={value['search_flags']}")
    if value["data_dir"]:
        words.append(f"--data_dir={value['data_dir']}")
    if value["space"] != _AUTO:
        words.append(f"--space={value['space']}")
    words += [f"--evaluator={value['evaluator']}", f"--run_dir={value['out_dir']}"]
    words.append(f"--workers={value['workers']}")
    found, run = search.parse(words)
    return RealCompareSettings(
        contestants=contestants,
        search=found,
        run=run,
        budgets=value["budgets"],
        seeds=value["seeds"],
        target=value["target"],
        figure=_figure(value),
        as_json=value["format"] == "json",
    )


def _refuse_meaningless(value: dict[str, Any], names: Sequence[str]) -> None:
    """Refuses flags that were changed and would change nothing."""
    flags = define()
    flags.parse([])
    usual = flags.chosen()
    for name in names:
        if value[name] != usual[name]:
            raise UserError(f"--{name} changes nothing with --evaluator={value['evaluator']}.")


def _figure(value: dict[str, Any]) -> pathlib.Path | None:
    return pathlib.Path(value["out"]) if value["out"] else None


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words) or len(set(words)) < len(words):
        raise ValueError
    return words


def _budgets(text: str) -> tuple[int, ...]:
    budgets = tuple(sorted({int(word.replace("_", "")) for word in text.split(",")}))
    if budgets[0] < 1 or budgets[-1] > 10**9:
        raise ValueError
    return budgets
