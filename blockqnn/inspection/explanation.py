"""What the agent of a run has learned: what it would do next and why, whichever agent it is.

    knowledge = read_knowledge(pathlib.Path("runs/digits"))
    next_actions(knowledge, ())         # what may follow a prefix, best first
    greedy_code(knowledge)              # what the agent would write now

Values are on the agent's scale, on which a reward of 100 % is 1.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from blockqnn.agents.contract import Action, Agent, Prospect
from blockqnn.errors import UserError
from blockqnn.inspection.recorded_agent import recorded_agent
from blockqnn.invocation import command
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.runs.run_record import RunRecord, read_agent_state, read_run
from blockqnn.trial import Status, Trial


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """What an agent knew when the last iteration ended that its store has.

    Attributes:
        run: the agent's run, perhaps with trials that the agent has not learned from yet.
        agent: the agent as it was then.
        space: that it designs in.
        iterations: from which it has learned.
    """

    run: RunRecord
    agent: Agent
    space: SearchSpace
    iterations: int


@dataclasses.dataclass(frozen=True)
class NextAction:
    """An action that may follow a prefix.

    Attributes:
        prospect: what the agent says of it.
        trials: of the run in which it followed the prefix's last action.
    """

    prospect: Prospect
    trials: int

    @property
    def visited(self) -> bool:
        """Whether any trial took the action here."""
        return self.prospect.visits > 0 or self.trials > 0


@dataclasses.dataclass(frozen=True)
class GreedyAction:
    """An action that the agent would take.

    Attributes:
        prospect: what the agent says of it.
        ties: how many actions the agent would choose from, itself included.
    """

    prospect: Prospect
    ties: int


@dataclasses.dataclass(frozen=True)
class GreedyCode:
    """The code that the agent would write without exploring.

    Attributes:
        prefix: actions that were given.
        actions: those that the agent adds, the end included.
        code: all of them.
        hash: names what the code means.
        trial: that tells what became of that, if the run has one: the one
            that was trained, else the first that suggested it.
    """

    prefix: tuple[Any, ...]
    actions: tuple[GreedyAction, ...]
    code: Any
    hash: str
    trial: Trial | None


def read_knowledge(path: pathlib.Path) -> Knowledge:
    """Reads what a run's agent has learned, whether or not the run is still going on.

    Args:
        path: the run's directory.

    Returns:
        What it knew when the last iteration ended.

    Raises:
        UserError: if there is no run, or nothing was learned in it.
    """
    # The state first, so that trials that it has learned from are not missing.
    state = read_agent_state(path)
    return knowledge_of(read_run(path), state)


def knowledge_of(run: RunRecord, state: Mapping[str, Any]) -> Knowledge:
    """Puts the state of a run's agent into an agent.

    Args:
        run: the agent's run, read after `state`.
        state: as `read_agent_state` returned it.

    Returns:
        What the agent knew.

    Raises:
        UserError: if nothing was learned in the run, or the state is none of its agent.
    """
    if run.mixed:
        come = "and each of its parts have come to is" if run.results else "has come to is"
        raise UserError(
            f"The run in {run.path} was searched by gradient, not by an agent; what its mixture "
            f"{come} in the page of {command('report', run.path)}."
        )
    if not state:
        raise UserError(
            f"The agent of the run in {run.path} has learned nothing yet: its first iteration has "
            "not ended."
        )
    try:
        space = run.space
        if not all(space.owns(trial.code) for trial in run.trials):
            raise ValueError(f"a code is none of {space.name}")
        # An agent that counts iterations itself may have been read one before the run was.
        iterations = int(state.get("iteration", run.iterations))
        agent = recorded_agent(run, space, state, iterations)
        values = [entry.value for entry in agent.entries()]
        values += [p.value for p in agent.after(()) if p.value is not None]
        if not all(map(math.isfinite, values)):
            raise ValueError("a value is not finite")
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError) as error:
        raise UserError(
            f"The agent's state in the store of {run.path} cannot be read: {error!r}."
        ) from error
    if agent.terms.value and not any(True for _ in agent.entries()):
        raise UserError(
            f"The agent of the run in {run.path} has learned nothing: it has not updated a single "
            f"{agent.terms.value} (--replay_updates of Q-learning)."
        )
    return Knowledge(run, agent, space, iterations)


def next_actions(knowledge: Knowledge, prefix: Sequence[Action]) -> list[NextAction]:
    """What the agent makes of the actions that may follow a prefix.

    Args:
        knowledge: of the agent.
        prefix: actions without the end; none for the start.

    Returns:
        All legal actions, the highest value first, or the highest probability
        where the agent has no values; equals in the order of the space.
    """
    last = len(prefix)
    followed: dict[Action, int] = {}
    for trial in knowledge.run.trials:
        code = trial.code
        if len(code) > last and (not last or code[last - 1] == prefix[-1]):
            followed[code[last]] = followed.get(code[last], 0) + 1
    actions = [
        NextAction(prospect, followed.get(prospect.action, 0))
        for prospect in knowledge.agent.after(prefix)
    ]
    if not knowledge.agent.terms.value:
        return sorted(actions, key=lambda next_: -next_.prospect.probability)
    return sorted(actions, key=lambda next_: -_value(next_.prospect))


def counted_kinds(knowledge: Knowledge, actions: Sequence[NextAction]) -> dict[str, int]:
    """How many of some actions are of each kind, in the order of their first."""
    return dict(
        collections.Counter(
            knowledge.space.action_kind(action.prospect.action)[1] for action in actions
        )
    )


def action_text(action: Action) -> str:
    """An action alone as text, such as `(2,1,3,1,0)`."""
    return f"({','.join(map(str, map(int, action)))})"


def greedy_code(knowledge: Knowledge, prefix: Sequence[Action] = ()) -> GreedyCode:
    """The code that the agent would write without exploring.

    Args:
        knowledge: of the agent.
        prefix: actions to begin with, without the end.

    Returns:
        The code; of actions that the agent would choose from it has the first,
        or the most probable one where the agent has no values.
    """
    added: list[GreedyAction] = []
    actions = list(prefix)
    while not added or not knowledge.space.is_end(actions[-1]):
        greedy = [p for p in knowledge.agent.after(actions) if p.greedy]
        first = greedy[0]
        if not knowledge.agent.terms.value:
            first = max(greedy, key=lambda prospect: prospect.probability)
        added.append(GreedyAction(first, len(greedy)))
        actions.append(first.action)
    code = knowledge.space.check(actions)
    name = knowledge.space.design(code).hash
    return GreedyCode(tuple(prefix), tuple(added), code, name, _what_became_of(knowledge.run, name))


def _value(prospect: Prospect) -> float:
    return -math.inf if prospect.value is None else prospect.value


def _what_became_of(run: RunRecord, name: str) -> Trial | None:
    same = [trial for trial in run.trials if trial.hash == name]
    trained = [trial for trial in same if trial.status is Status.COMPLETED]
    return next(iter(trained or same), None)
