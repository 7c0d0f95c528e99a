"""One agent against a table: what it has found after how many evaluations."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

from blockqnn.agents.contract import Agent, Episode
from blockqnn.agents.registry import make_agent
from blockqnn.contests.contestants import Contestant
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.networks.spaces.registry import space_named

DRAWS_PER_EVALUATION = 100
"""Suggestions of what is known cost nothing, but there is an end to patience."""


@dataclasses.dataclass(frozen=True)
class Improvement:
    """A design that was better than all before it.

    Attributes:
        evaluations: of different designs up to and with this one.
        searched: its accuracy as the search sees it, in percent.
        judged: its accuracy as it is judged, in percent.
    """

    evaluations: int
    searched: float
    judged: float


@dataclasses.dataclass(frozen=True)
class Played:
    """What came of a run.

    Attributes:
        contestant: who played, by title.
        budget: evaluations that it was sized to.
        seed: of the agent.
        evaluations: of different designs; fewer than the budget if it drew
            nothing new any more.
        improvements: in order; none where no suggestion was in the table.
        suggestions: of designs, known ones too.
        lacking: of these, how many the table does not have.
        thinking: seconds of a processor that the agent took.
    """

    contestant: str
    budget: int
    seed: int
    evaluations: int
    improvements: tuple[Improvement, ...]
    suggestions: int = 0
    lacking: int = 0
    thinking: float = dataclasses.field(default=0.0, compare=False)

    def best_at(self, evaluations: int) -> Improvement | None:
        """The best design by the search's accuracy after some evaluations; None where none was."""
        found = [i for i in self.improvements if i.evaluations <= evaluations]
        return found[-1] if found else None


def play(
    contestant: Contestant, space: str, table: AccuracyTable, budget: int, seed: int
) -> Played:
    """Lets an agent search in a table.

    An evaluation is a design that was not seen before in the run. A design
    that is suggested again is learned from again and costs nothing.

    Args:
        contestant: who plays.
        space: name of the search space.
        table: with two columns, what the search sees and what is judged by.
        budget: evaluations.
        seed: of the agent.

    Returns:
        What came of it.
    """
    agent = make_agent(contestant.config(budget), space_named(space), seed)
    run = _played(agent, contestant.batch(budget), table, budget)
    return Played(
        contestant.title,
        budget,
        seed,
        len(run.seen),
        tuple(run.improvements),
        run.suggestions,
        run.lacking,
        run.thinking,
    )


def play_agent(
    agent: Agent, batch: int, table: AccuracyTable, budget: int
) -> tuple[int, tuple[Improvement, ...]]:
    """Lets any agent search in a table; see `play`.

    Args:
        agent: that has learned nothing.
        batch: episodes of an iteration.
        table: with two columns, what the search sees and what is judged by.
        budget: evaluations.

    Returns:
        How many evaluations there were, and the improvements in order.
    """
    run = _played(agent, batch, table, budget)
    return len(run.seen), tuple(run.improvements)


def _played(agent: Agent, batch: int, table: AccuracyTable, budget: int) -> _Run:
    run = _Run(table, budget)
    while run.goes_on:
        run.evaluate(agent, batch)
    return run


class _Run:
    """A run under way."""

    def __init__(self, table: AccuracyTable, budget: int):
        self._table, self._budget = table, budget
        self.suggestions = self.lacking = 0
        self.thinking = 0.0
        self._best = -math.inf
        self.seen: set[int] = set()
        self.improvements: list[Improvement] = []

    @property
    def goes_on(self) -> bool:
        most = DRAWS_PER_EVALUATION * self._budget
        return len(self.seen) < self._budget and self.suggestions < most

    def evaluate(self, agent: Agent, batch: int) -> None:
        """One iteration: looks up what the agent suggests, and lets it learn."""
        episodes = []
        begun = time.process_time()
        suggested = agent.suggest(batch)
        self.thinking += time.process_time() - begun
        for actions in suggested:
            self.suggestions += 1
            found = self._table.find(actions)
            if found is None:
                self.lacking += 1
                # What nobody has measured cannot be had; it is as bad as can be.
                episodes.append(Episode(actions, 0.0))
                continue
            position, (searched, judged) = found
            if position not in self.seen and len(self.seen) < self._budget:
                self.seen.add(position)
                if searched > self._best:
                    self._best = searched
                    self.improvements.append(Improvement(len(self.seen), searched, judged))
            episodes.append(Episode(actions, searched / 100))
        begun = time.process_time()
        agent.update(episodes)
        self.thinking += time.process_time() - begun


def as_json(played: Played) -> dict[str, Any]:
    """A run as JSON can hold it."""
    return dataclasses.asdict(played) | {
        "improvements": [dataclasses.astuple(i) for i in played.improvements]
    }


def from_json(fields: dict[str, Any]) -> Played:
    """The run that `as_json` wrote.

    Raises:
        TypeError, ValueError or KeyError: if it did not.
    """
    improvements = tuple(
        Improvement(int(n), float(s), float(j)) for n, s, j in fields["improvements"]
    )
    return Played(
        str(fields["contestant"]),
        int(fields["budget"]),
        int(fields["seed"]),
        int(fields["evaluations"]),
        improvements,
        int(fields.get("suggestions", 0)),
        int(fields.get("lacking", 0)),
        float(fields.get("thinking", 0.0)),
    )
