"""The verb `explain`: what the agent of a run has learned."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import textwrap
from typing import Any, TextIO

from blockqnn.inspection import heat_map
from blockqnn.inspection.explained_text import (
    completion_text,
    heading,
    legend,
    next_text,
)
from blockqnn.inspection.explanation import (
    GreedyCode,
    Knowledge,
    NextAction,
    counted_kinds,
    greedy_code,
    next_actions,
    read_knowledge,
)
from blockqnn.inspection.kinds import kind_values, kinds
from blockqnn.networks.spaces.registry import as_lists, write
from blockqnn.runs.whole_file import write_whole
from blockqnn.terminal import Style, terminal_of


@dataclasses.dataclass(frozen=True)
class ExplainSettings:
    """What to explain.

    Attributes:
        run_dir: the run.
        prefix: the beginning of a code as text; empty for the start.
        top: next actions to list.
        value: `mean` or `best`, what the heat map shows.
        out: file for the heat map, or None.
        as_json: print one JSON object.
    """

    run_dir: pathlib.Path
    prefix: str
    top: int
    value: str
    out: pathlib.Path | None
    as_json: bool


def explain(settings: ExplainSettings, stream: TextIO) -> None:
    """Prints what the agent of a run has learned.

    Args:
        settings: of which run, and what.
        stream: where to print.

    Raises:
        UserError: if there is no run, it has learned nothing, or the heat map
            cannot be written.
        CodeError: if no code of the run begins with the prefix.
    """
    knowledge = read_knowledge(settings.run_dir)
    space, terms = knowledge.space, knowledge.agent.terms
    prefix = space.parse_prefix(settings.prefix)
    actions = next_actions(knowledge, prefix)
    greedy = greedy_code(knowledge)
    completion = greedy_code(knowledge, prefix) if prefix else None
    values, all_kinds = kind_values(knowledge), kinds(space)
    shown = terms.value or "probability"
    if settings.out is not None:
        title = f"{shown.capitalize()} of each kind by position, {knowledge.iterations} iterations"
        words = heat_map.Words(title, shown)
        suffix = settings.out.suffix.lower()
        content = heat_map.figure(values, all_kinds, settings.value, suffix, words)
        write_whole(settings.out, content)
    if settings.as_json:
        facts = {
            "run": str(settings.run_dir),
            "dry": knowledge.run.dry,
            "iterations": knowledge.iterations,
            "agent": dataclasses.asdict(terms) | {"statistics": dict(knowledge.agent.statistics())},
            "prefix": {"code": space.write_prefix(prefix), "actions": as_lists(prefix)},
            **_next_facts(knowledge, actions, settings.top),
            "greedy": _greedy_facts(greedy),
            "completion": completion and _greedy_facts(completion),
            "kind_values": [dataclasses.asdict(value) for value in values],
        }
        print(json.dumps(facts), file=stream)
        return
    terminal = terminal_of(stream)
    notice = knowledge.run.notice
    parts = [(f"{notice}\n" if notice else "") + heading(knowledge)]
    title = f"After {space.write_prefix(prefix)}:" if prefix else "At the start:"
    listed = next_text(knowledge, actions, settings.top)
    parts.append(f"{terminal.styled(title, Style.BOLD)}\n{listed}")
    parts.append(completion_text(knowledge, greedy, completion, terminal))
    title = terminal.styled(f"The {shown} of each kind of action by position:", Style.BOLD)
    unit = terms.visits if terms.value else "trials"
    drawn = heat_map.in_text(values, all_kinds, settings.value, unit, terminal)
    note = textwrap.fill(f"{heat_map.note(settings.value, terms)}; * the best of its position", 80)
    parts.append(f"{title}\n{drawn}\n{note}")
    parts.append(legend(terms))
    if settings.out is not None:
        parts.append(f"Heat map written to {settings.out}.")
    print("\n\n".join(parts), file=stream)


def _next_facts(knowledge: Knowledge, actions: list[NextAction], top: int) -> dict[str, Any]:
    visited = [action for action in actions if action.visited]
    unvisited = [action for action in actions if not action.visited]
    return {
        "next": [
            {
                "action": list(action.prospect.action),
                "title": knowledge.space.action_title(action.prospect.action),
                "probability": action.prospect.probability,
                "value": action.prospect.value,
                "visits": action.prospect.visits,
                "trials": action.trials,
            }
            for action in visited[:top]
        ],
        "visited": len(visited),
        "unvisited": {
            "count": len(unvisited),
            "probability": sum(action.prospect.probability for action in unvisited),
            "value": unvisited[0].prospect.value if unvisited else None,
            "by_kind": counted_kinds(knowledge, unvisited),
        },
    }


def _greedy_facts(greedy: GreedyCode) -> dict[str, Any]:
    trial = greedy.trial
    return {
        "code": write(greedy.code),
        "hash": greedy.hash,
        "actions": [
            {
                "action": list(action.prospect.action),
                "probability": action.prospect.probability,
                "value": action.prospect.value,
                "visits": action.prospect.visits,
                "ties": action.ties,
            }
            for action in greedy.actions
        ],
        "trial": trial
        and {
            "number": trial.number,
            "status": trial.status.value,
            "accuracy": trial.accuracy,
            "reward": trial.measured_reward,
        },
    }
