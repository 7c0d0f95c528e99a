"""The flags of `compare`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blockqnn.agents.registry import AGENTS
from blockqnn.contests.contestants import Contestant, parse_contestant
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE, TRAIN
from blockqnn.evaluation.table_space import made_space
from blockqnn.flags import compare_methods, execution, flag_text, parsing, preset_files, search
from blockqnn.flags.verb import Verb
from blockqnn.invocation import command
from blockqnn.networks.spaces.registry import SPACES

if TYPE_CHECKING:
    from blockqnn.contests.command import CompareSettings
    from blockqnn.contests.method_settings import MethodSettings
    from blockqnn.contests.real_command import RealCompareSettings

_AGENTS = ("random", "evolution", "q_learning", "q_learning_plus")
_BUDGETS = (100, 200, 500, 1000)
_AUTO = "auto"


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
        f"agents with commas between them: {', '.join(AGENTS)}; fields of an agent's settings are "
        "changed after colons, as in evolution:population=50, and +predictor puts one in front, as "
        "in random+predictor:pool=50; the others are tested against the first",
        compare_methods.words,
        "names with commas between them",
    )
    flags.special(
        "space",
        _AUTO,
        f"{'|'.join((_AUTO, *SPACES))}: what is designed; auto: what the codes of the table are, "
        "with real children what the preset has",
        _space,
        " or ".join((_AUTO, *SPACES)),
    )
    flags.choice(
        "evaluator",
        TABLE,
        (TABLE, TRAIN, DRY),
        "look accuracies up, train children, or make accuracies up",
    )
    flags.group("With a table (--evaluator=table)", parsing.Owner("evaluator", (TABLE,)))
    flags.path(
        "table",
        "",
        "CSV file of accuracies in percent, whose column code or arch_str has the designs",
    )
    flags.text("search_column", "cifar10_valid_hp12", "column of the table that the agents see")
    flags.text(
        "judge_column",
        "cifar10_test_hp200_mean",
        "column of the table that the best by the other column is judged by",
    )
    flags.group(
        "With children (--evaluator=train or dry)",
        parsing.Owner("evaluator", (TRAIN, DRY)),
    )
    flags.text(
        "preset",
        preset_files.DEFAULT_PRESET,
        f"preset of the search that is carried out: {', '.join(preset_files.preset_names())}",
    )
    flags.path(
        "search_flags", "", "file of flags of search, one a line, that override the preset's"
    )
    flags.path("data_dir", "", "where TFDS keeps data sets; empty for its default")
    flags.special(
        "match",
        None,
        "the size of every child, as for search: parameters:75k or flops:10M; empty for what the "
        "search has",
        flag_text.parse_match,
        flag_text.MATCH_ALLOWED,
    )
    compare_methods.define(flags)
    flags.group("How much")
    flags.special(
        "budgets",
        _BUDGETS,
        "numbers of evaluations, with commas between them",
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
    flags.group("Where children and supernets are trained")
    flags.integer("workers", 0, "worker processes; 0 for one a core, or as search has it")
    execution.define_executor(flags)
    execution.define_ray_address(flags)
    flags.group("Output")
    flags.choice("format", "table", ("table", "json"), "output for people, or one JSON object")
    flags.path("out_dir", "runs/compare", "directory of the runs; the same command continues there")
    flags.path("out", "", "file for the curve of simple regret: .svg, .png or .pdf")
    return flags


def parse(arguments: Sequence[str]) -> CompareSettings | RealCompareSettings | MethodSettings:
    """Turns the command line of `compare` into settings.

    Args:
        arguments: what follows `compare`.

    Returns:
        What to compare.

    Raises:
        UserError: if the command line cannot be used.
    """
    from blockqnn.contests.command import CompareSettings

    flags = define()
    words = flags.parse(arguments)
    if words:
        raise UserError(
            f"compare takes flags alone, given {words[0]!r}. See: {command('compare', '--help')}"
        )
    value = flags.chosen()
    if value["methods"]:
        return compare_methods.method_settings(flags)
    compare_methods.refuse_for_agents(flags)
    contestants = tuple(parse_contestant(title) for title in value["agents"])
    flags.refuse_without_effect("comparison")
    if value["evaluator"] != TABLE:
        return _with_children(flags, value, contestants)
    execution.refuse_executor(flags)
    if not value["table"]:
        raise UserError(f"compare needs --table. See: {command('compare', '--help')}")
    return CompareSettings(
        contestants=contestants,
        space="" if value["space"] == _AUTO else made_space(value["space"], value["table"]),
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
    flags: parsing.FlagSet, value: dict[str, Any], contestants: tuple[Contestant, ...]
) -> RealCompareSettings:
    from blockqnn.contests.real_command import RealCompareSettings

    words = [f"--preset={value['preset']}"]
    if value["search_flags"]:
        words.append(f"--flagfile={value['search_flags']}")
    if value["data_dir"]:
        words.append(f"--data_dir={value['data_dir']}")
    if value["space"] != _AUTO:
        words.append(f"--space={value['space']}")
    if value["match"] is not None:
        words.append(f"--match={value['match']}")
    words += [f"--evaluator={value['evaluator']}", f"--run_dir={value['out_dir']}"]
    words += [f"--workers={value['workers']}", *execution.executor_words(flags)]
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


def _figure(value: dict[str, Any]) -> pathlib.Path | None:
    return pathlib.Path(value["out"]) if value["out"] else None


def _space(text: str) -> str:
    return text if text == _AUTO else flag_text.named_space(text)


def _budgets(text: str) -> tuple[int, ...]:
    budgets = tuple(sorted({int(word.replace("_", "")) for word in text.split(",")}))
    if budgets[0] < 1 or budgets[-1] > 10**9:
        raise ValueError
    return budgets


def _run(settings: CompareSettings | RealCompareSettings | MethodSettings) -> int:
    from blockqnn.contests.command import CompareSettings, compare
    from blockqnn.contests.method_command import compare_methods as play_methods
    from blockqnn.contests.method_settings import MethodSettings
    from blockqnn.contests.real_command import compare_real

    if isinstance(settings, CompareSettings):
        return compare(settings, sys.stdout, sys.stderr)
    if isinstance(settings, MethodSettings):
        return play_methods(settings, sys.stdout, sys.stderr)
    compare_real(settings, sys.stdout, sys.stderr)
    return 0


COMPARE = Verb("compare", define, parse, _run)
