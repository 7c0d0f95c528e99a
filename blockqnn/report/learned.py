"""What a run's agent would do next and why, for the report."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.inspection.explained_text import became
from blockqnn.inspection.explanation import Knowledge, greedy_code, knowledge_of, next_actions
from blockqnn.inspection.kinds import kind_values, kinds
from blockqnn.report.columns import short
from blockqnn.runs.run_record import RunRecord, read_agent_state

LISTED = 10
"""First actions that are shown."""


def learned(run: RunRecord) -> dict[str, Any] | None:
    """What the agent says of itself, whichever agent it is.

    Args:
        run: as it was read; the agent's state is read now.

    Returns:
        `agent`, `value`, `visits` and `meaning`, the words of the agent;
        `next`, the first actions of the highest value or probability, with
        `title`, `probability`, `value`, `visits` and `trials`; `code`, what it
        would write now, and `became`, what became of that; `kinds`, and
        `positions` with the `mean` value or probability of each kind there,
        None where there is none. None in all where it has not learned
        anything yet, or its store cannot say.
    """
    try:
        knowledge = knowledge_of(run, read_agent_state(run.path))
    except UserError:
        # The other parts of a report do not depend on the agent's state.
        return None
    terms, greedy = knowledge.agent.terms, greedy_code(knowledge)
    return {
        "agent": terms.agent,
        "value": terms.value,
        "visits": terms.visits,
        "meaning": terms.meaning,
        "next": [
            {
                "title": knowledge.space.action_title(action.prospect.action),
                "probability": short(action.prospect.probability),
                "value": None if action.prospect.value is None else short(action.prospect.value),
                "visits": action.prospect.visits,
                "trials": action.trials,
            }
            for action in next_actions(knowledge, ())[:LISTED]
        ],
        "code": knowledge.space.write(greedy.code),
        "became": became(greedy),
        "kinds": kinds(knowledge.space),
        "positions": _positions(knowledge),
    }


def _positions(knowledge: Knowledge) -> list[dict[str, Any]]:
    names = kinds(knowledge.space)
    found = {(value.position, value.kind): short(value.mean) for value in kind_values(knowledge)}
    return [
        {"position": position, "mean": [found.get((position, name)) for name in names]}
        for position in sorted({position for position, _ in found})
    ]
