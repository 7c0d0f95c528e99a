"""What a child takes over from the parents that it may have.

Evolution and local search write no action of their own but change what a
parent has. So they are asked what the parents do: of those that differ in the
fewest actions from what the child has begun with, one of which it is then
most likely a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from blockqnn.agents.contract import Action, Entry, Episode, Prospect, SearchSpace
from blockqnn.agents.exploration import draw_probabilities


class Parent(NamedTuple):
    """Who may be changed.

    Attributes:
        episode: what it did.
        probability: that the next suggestion is a change of it.
    """

    episode: Episode
    probability: float


def prospects_of_a_child(
    space: SearchSpace,
    prefix: Sequence[Action],
    parents: Sequence[Parent],
    exploration: str,
    explores: bool,
) -> list[Prospect]:
    """What a change of one of the parents does next, the change itself left out.

    Args:
        space: the decision process.
        prefix: what the child has done so far.
        parents: those that it may have.
        exploration: distribution of random actions.
        explores: whether actions are drawn at random for now.

    Returns:
        As `Agent.after` has them. Where no parent goes on with a legal action,
        or for now, probabilities are those of a random action.
    """
    groups = space.choices(prefix[-1] if prefix else space.start)
    actions: list[Action] = [tuple(action) for group in groups for action in group]
    nearest = _nearest(prefix, parents, set(actions))
    probabilities = draw_probabilities(groups, exploration)
    if nearest and not explores:
        total = sum(parent.probability for parent in nearest)
        weights = dict.fromkeys(actions, 0.0)
        for parent in nearest:
            weights[_next(parent, prefix)] += parent.probability
        probabilities = [weights[action] / total for action in actions]
    rewards: dict[Action, list[float]] = {}
    for parent in nearest:
        rewards.setdefault(_next(parent, prefix), []).append(parent.episode.reward)
    best = max((max(found) for found in rewards.values()), default=None)
    prospects = []
    for action, probability in zip(actions, probabilities, strict=True):
        found = rewards.get(action, [])
        value = max(found, default=None)
        prospects.append(Prospect(action, probability, value == best, value, len(found)))
    return prospects


def rewards_by_action(episodes: Iterable[Episode]) -> list[Entry]:
    """The best reward of the episodes with each action, and how many they are.

    Args:
        episodes: any.

    Returns:
        In order of the actions.
    """
    rewards: dict[Action, list[float]] = {}
    for episode in episodes:
        for action in episode.actions:
            rewards.setdefault(tuple(action), []).append(episode.reward)
    return [Entry(action, max(found), len(found)) for action, found in sorted(rewards.items())]


def _next(parent: Parent, prefix: Sequence[Action]) -> Action:
    return tuple(parent.episode.actions[len(prefix)])


def _nearest(
    prefix: Sequence[Action], parents: Sequence[Parent], legal: set[Action]
) -> list[Parent]:
    """The parents that differ least, of those that go on with a legal action."""
    able = [
        parent
        for parent in parents
        if len(parent.episode.actions) > len(prefix) and _next(parent, prefix) in legal
    ]
    differences = [
        sum(
            tuple(own) != tuple(other)
            for own, other in zip(parent.episode.actions, prefix, strict=False)
        )
        for parent in able
    ]
    least = min(differences, default=0)
    return [parent for parent, count in zip(able, differences, strict=True) if count == least]
