"""What a run's agent would do next and why, for the report."""

from __future__ import annotations

from typing import Any

from blockqnn.errors import UserError
from blockqnn.inspection import heat_map
from blockqnn.inspection.explained_text import became
from blockqnn.inspection.explanation import Knowledge, greedy_code, knowledge_of, next_actions
from blockqnn.inspection.kinds import kind_values, kinds
from blockqnn.report.columns import short
from blockqnn.runs.run_record import RunRecord, read_agent_state
from blockqnn.terminal import Rgb, readable_on

LISTED = 10
"""First actions that are shown."""
_NOTHING = "It learns nothing: whatever it writes next is drawn anew."
_STEPS = 4
"""Between the colours of the heat map's scale."""


def learned(run: RunRecord) -> dict[str, Any] | None:
    """What the agent says of itself, whichever agent it is.

    Args:
        run: as it was read; the agent's state is read now.

    Returns:
        `agent`, `value`, `visits` and `meaning`, the words of the agent; `note`,
        what the numbers of its heat map are;
        `next`, the first actions of the highest value or probability, with
        `title`, `probability`, `value`, `visits` and `trials`; `code`, what it
        would write now, empty where it learns nothing, and `became`, what became of that;
        `kinds`, and `positions` with the `mean` value or probability of each kind there,
        its `ground` and `ink`, the colours of a heat map from the lowest to the
        highest of all, None where there is none; `scale`, what the heat map goes
        through, as pairs of a number and its colour. None in all where it has
        not learned anything yet, or its store cannot say.
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
        "note": heat_map.note(heat_map.MEAN, terms),
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
        "code": knowledge.space.write(greedy.code) if terms.learns else "",
        "became": became(greedy) if terms.learns else _NOTHING,
        "kinds": kinds(knowledge.space),
        **_heat_map(knowledge),
    }


def _heat_map(knowledge: Knowledge) -> dict[str, Any]:
    names = kinds(knowledge.space)
    found = {(value.position, value.kind): value.mean for value in kind_values(knowledge)}
    low, high = min(found.values()), max(found.values())
    rows: list[dict[str, Any]] = []
    for position in sorted({position for position, _ in found}):
        means = [found.get((position, name)) for name in names]
        colours = [None if mean is None else heat_map.colour(mean, low, high) for mean in means]
        rows.append(
            {
                "position": position,
                "mean": [short(mean) for mean in means],
                "ground": [colour and _hexadecimal(colour) for colour in colours],
                "ink": [colour and _hexadecimal(readable_on(colour)) for colour in colours],
            }
        )
    steps = [low + (high - low) * step / _STEPS for step in range(_STEPS + 1)]
    scale = [[short(step), _hexadecimal(heat_map.colour(step, low, high))] for step in steps]
    return {"positions": rows, "scale": scale}


def _hexadecimal(colour: Rgb) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
