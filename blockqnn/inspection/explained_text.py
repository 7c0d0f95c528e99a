"""What the agent of a run has learned, in words and tables for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from blockqnn.agents.contract import Prospect, Terms
from blockqnn.inspection.explanation import (
    GreedyAction,
    GreedyCode,
    Knowledge,
    NextAction,
    action_text,
    counted_kinds,
)
from blockqnn.listing import counted, number, table, with_accuracy, wrapped_code
from blockqnn.terminal import Style, Terminal, printable
from blockqnn.trial import Status

_WIDTH = 80


def heading(knowledge: Knowledge) -> str:
    """Which agent it is, what it has learned from, and its figures."""
    agent = knowledge.agent
    learned = sum(t.iteration <= knowledge.iterations for t in knowledge.run.trials)
    figures = ", ".join(
        f"{name.replace('_', ' ')} {value:.6g}" for name, value in agent.statistics().items()
    )
    supernet = knowledge.run.supernet
    scores = ""
    if supernet and any(epoch.reward is not None for epoch in supernet.epochs):
        scores = f" and {counted(len(supernet.epochs), 'epoch')} of scores by shared weights"
    title = agent.terms.agent[:1].upper() + agent.terms.agent[1:]
    return (
        f"{knowledge.run.path}: {title} after {knowledge.iterations} iterations and "
        f"{learned:,} trials{scores},\n{textwrap.fill(figures, _WIDTH)}."
    )


def legend(terms: Terms) -> str:
    """What the columns are."""
    text = f"p is the probability of an action. {terms.meaning}"
    if terms.value:
        text += " A reward of 100 % is 1."
    text += " Trials: in how many trials of the run the action came right after the last one above."
    return textwrap.fill(text, _WIDTH)


def next_text(knowledge: Knowledge, actions: Sequence[NextAction], top: int) -> str:
    """The actions that were visited after a prefix, and how many were not.

    Args:
        knowledge: of the agent.
        actions: all that may follow, in order.
        top: how many to list.

    Returns:
        A table and a sentence.
    """
    terms = knowledge.agent.terms
    visited = [action for action in actions if action.visited]
    rows = [
        [
            str(rank),
            *_numbers(next_.prospect, terms),
            f"{next_.trials:,}",
            _named(knowledge, next_.prospect),
        ]
        for rank, next_ in enumerate(actions, start=1)
        if next_.visited
    ]
    text = ""
    if visited:
        text = table(["rank", *_titles(terms), "trials", "action"], rows[:top]) + "\n"
        if len(rows) > top:
            text += f"and {len(rows) - top} more that were visited\n"
    unvisited = [action for action in actions if not action.visited]
    if not unvisited:
        return f"{text}Every legal action was visited."
    if len(unvisited) == len(actions):
        text += "Nothing was learned here. "
    share = sum(action.prospect.probability for action in unvisited)
    value = unvisited[0].prospect.value
    initial = ""
    if value is not None:
        above = sum((action.prospect.value or 0.0) > value for action in visited)
        initial = f", all at the initial {value:.4f}"
        initial += f", behind {above} of the {len(visited)} visited" if visited else ""
    counts = ", ".join(
        f"{count} {name}" for name, count in counted_kinds(knowledge, unvisited).items()
    )
    return text + textwrap.fill(
        f"{len(unvisited)} of {len(actions)} legal actions never visited{initial}, with a "
        f"probability of {share:.4f} together: {counts}.",
        _WIDTH,
    )


def completion_text(
    knowledge: Knowledge, greedy: GreedyCode, completion: GreedyCode | None, terminal: Terminal
) -> str:
    """What the agent would write without exploring, and what became of it.

    Args:
        knowledge: of the agent.
        greedy: from the start.
        completion: from a prefix, if there is one.
        terminal: to print on.

    Returns:
        Lines.
    """
    shown, terms = completion or greedy, knowledge.agent.terms
    title = "The rest that the agent would write now:"
    if completion is None:
        title = "What the agent would write now, without exploring:"
    lines = [terminal.styled(title, Style.BOLD)]
    learned = shown.actions
    while terms.visits and learned and _unlearned(learned[-1]):
        learned = learned[:-1]
    rows = [
        [
            str(knowledge.space.action_kind(action.prospect.action)[0]),
            *_numbers(action.prospect, terms),
            _named(knowledge, action.prospect)
            + (f"  (one of {action.ties} equal)" if action.ties > 1 and terms.value else ""),
        ]
        for action in learned
    ]
    if rows:
        lines.append(table(["position", *_titles(terms), ""], rows))
    if len(learned) < len(shown.actions):
        first = knowledge.space.action_kind(shown.actions[len(learned)].prospect.action)[0]
        count = len(shown.actions) - len(learned)
        lines.append(
            f"From position {first} on nothing was learned; {count} "
            f"{'actions are' if count > 1 else 'action is'} the first in the order of the space."
        )
    if not terms.value:
        lines.append("The agent draws every action at random; here it is one of the most probable.")
    elif any(action.ties > 1 for action in shown.actions):
        lines.append(
            f"Of actions of equal {terms.value} the agent draws one at random; here it is the "
            "first."
        )
    lines += [*wrapped_code(knowledge.space.write(shown.code), terminal.width), became(shown)]
    if completion is not None and completion.code == greedy.code:
        lines.append("It is also what the agent would write from the start.")
    elif completion is not None:
        lines.append("From the start the agent would write something else:")
        lines += [*wrapped_code(knowledge.space.write(greedy.code), terminal.width), became(greedy)]
    return "\n".join(lines)


def _titles(terms: Terms) -> list[str]:
    return ["p", *filter(None, [terms.value, terms.visits])]


def _numbers(prospect: Prospect, terms: Terms) -> list[str]:
    """The columns of `_titles`."""
    columns = [f"{prospect.probability:.4f}"]
    if terms.value:
        columns.append(number(prospect.value, 4))
    if terms.visits:
        columns.append(f"{prospect.visits:,}")
    return columns


def _named(knowledge: Knowledge, prospect: Prospect) -> str:
    title = knowledge.space.action_title(prospect.action)
    return f"{action_text(prospect.action):12} {title}"


def _unlearned(action: GreedyAction) -> bool:
    """Whether the agent knows nothing of any choice there was; the only choice needs none."""
    return action.prospect.visits == 0


def became(greedy: GreedyCode) -> str:
    """A sentence on what became of it in the run."""
    trial = greedy.trial
    if trial is None:
        return "It has not been suggested in this run."
    if trial.accuracy is None and trial.status is Status.COMPLETED:
        return f"It was scored, as trial {trial.number}: reward {number(trial.reward)}."
    if trial.status is Status.COMPLETED:
        return (
            f"It was trained, as trial {trial.number}: "
            f"{with_accuracy(trial)[2:]}, "
            f"reward {number(trial.reward)}."
        )
    reason = f" ({printable(trial.reason)})" if trial.reason else ""
    return f"It was not trained: trial {trial.number} is {trial.status}{reason}."
