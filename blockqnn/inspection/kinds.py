"""What an agent makes of each kind of action at each position, whatever came before."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

from blockqnn.agents.contract import Action
from blockqnn.inspection.explanation import Knowledge
from blockqnn.networks.spaces.contract import SearchSpace

BEGINNINGS = 20
"""Of the run's last trials, over which a probability has its mean."""


@dataclasses.dataclass(frozen=True)
class KindValue:
    """What an agent makes of a kind of action at a position.

    Attributes:
        position: of the action, from 1.
        kind: what the space calls it.
        mean: of the agent's values, weighted by their visits; where it has
            none, of the probabilities.
        best: the highest of them.
        visits: of all of them, in the unit of the agent; where it has no
            values, trials with such an action.
        entries: how many values or probabilities there are.
    """

    position: int
    kind: str
    mean: float
    best: float
    visits: int
    entries: int


def kind_values(knowledge: Knowledge) -> list[KindValue]:
    """What the agent makes of each kind at each position; at least one.

    Where an agent has values, they are those that it has learned. Compare
    kinds at one position: with reward shaping (equation 6 of the BlockQNN
    paper) Q-values fall towards the end. Where it has none, they are
    probabilities, after the beginnings of the run's last trials.

    Args:
        knowledge: of the agent.

    Returns:
        In order of position, and of the kinds as the space has them.
    """
    if not knowledge.agent.terms.value:
        return _probabilities(knowledge)
    found: dict[tuple[int, str], list[tuple[float, int]]] = {}
    for entry in knowledge.agent.entries():
        key = knowledge.space.action_kind(entry.action)
        found.setdefault(key, []).append((entry.value, entry.visits))
    values = []
    for (position, kind), entries in found.items():
        visits = sum(count for _, count in entries)
        mean = sum(value * count for value, count in entries) / visits
        best = max(value for value, _ in entries)
        values.append(KindValue(position, kind, mean, best, visits, len(entries)))
    return _in_order(values, knowledge.space)


def kinds(space: SearchSpace) -> list[str]:
    """The kinds of actions of a space, in the order in which it lists them.

    Args:
        space: any.

    Returns:
        The name of each once.
    """
    found: dict[str, None] = {}
    state = space.start
    while state is not None:
        actions = [action for group in space.choices(state) for action in group]
        found |= dict.fromkeys(space.action_kind(action)[1] for action in actions)
        state = next((action for action in actions if not space.is_end(action)), None)
    return list(found)


def _probabilities(knowledge: Knowledge) -> list[KindValue]:
    space, trials = knowledge.space, knowledge.run.trials
    written = collections.Counter(space.action_kind(a) for t in trials for a in t.code)
    beginnings: dict[int, list[Sequence[Action]]] = {0: [()]}
    for trial in reversed(trials):
        for length in range(1, len(trial.code)):
            own = beginnings.setdefault(length, [])
            if len(own) < BEGINNINGS:
                own.append(trial.code[:length])
    values = []
    for own in beginnings.values():
        found: dict[tuple[int, str], list[float]] = {}
        for beginning in own:
            here: dict[tuple[int, str], float] = {}
            for prospect in knowledge.agent.after(beginning):
                key = space.action_kind(prospect.action)
                here[key] = here.get(key, 0.0) + prospect.probability
            for key, probability in here.items():
                found.setdefault(key, []).append(probability)
        values += [
            KindValue(*key, sum(each) / len(own), max(each), written[key], len(each))
            for key, each in found.items()
        ]
    return _in_order(values, space)


def _in_order(values: list[KindValue], space: SearchSpace) -> list[KindValue]:
    order = {kind: place for place, kind in enumerate(kinds(space))}
    return sorted(values, key=lambda value: (value.position, order[value.kind]))
