"""The verb `explain`: what the agent of a run has learned."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import textwrap
from collections.abc import Sequence
from typing import Any, TextIO

from blockqnn.inspection import heat_map
from blockqnn.inspection.explanation import (
    GreedyBlock,
    GreedyLayer,
    Knowledge,
    NextLayer,
    greedy_block,
    next_layers,
    read_knowledge,
    type_values,
)
from blockqnn.listing import DRY_NOTICE, number, table, wrapped_code
from blockqnn.networks.spaces.nsc.codes import LayerType, describe, parse_prefix
from blockqnn.networks.spaces.registry import as_lists, write
from blockqnn.runs.whole_file import write_whole
from blockqnn.terminal import Style, Terminal, printable, terminal_of
from blockqnn.trial import Status


@dataclasses.dataclass(frozen=True)
class ExplainSettings:
    """What to explain.

    Attributes:
        run_dir: the run.
        prefix: the beginning of a block as text; empty for the start.
        top: next layers to list.
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
        CodeError: if no block of the run begins with the prefix.
    """
    knowledge = read_knowledge(settings.run_dir)
    prefix = parse_prefix(settings.prefix, knowledge.space.max_layers)
    layers = next_layers(knowledge, prefix)
    greedy = greedy_block(knowledge)
    completion = greedy_block(knowledge, prefix) if prefix else None
    values = type_values(knowledge)
    if settings.out is not None:
        title = f"Value of each layer type by position, {knowledge.iterations} iterations"
        content = heat_map.figure(values, settings.value, settings.out.suffix.lower(), title)
        write_whole(settings.out, content)
    if settings.as_json:
        facts = {
            "run": str(settings.run_dir),
            "dry": knowledge.run.dry,
            "iterations": knowledge.iterations,
            "prefix": {"code": write(prefix), "layers": as_lists(prefix)},
            **_next_facts(layers, settings.top),
            "greedy": _greedy_facts(greedy),
            "completion": completion and _greedy_facts(completion),
            "type_values": [
                dataclasses.asdict(value) | {"type": int(value.type), "name": value.type.title}
                for value in values
            ],
        }
        print(json.dumps(facts), file=stream)
        return
    terminal = terminal_of(stream)
    parts = [(f"{DRY_NOTICE}\n" if knowledge.run.dry else "") + _heading(knowledge)]
    title = f"After {write(prefix)}:" if prefix else "At the start of a block:"
    parts.append(f"{terminal.styled(title, Style.BOLD)}\n{_next_text(layers, settings.top)}")
    parts.append(_greedy_text(greedy, completion, terminal))
    title = terminal.styled("The value of each layer type by position:", Style.BOLD)
    note = f"{heat_map.WHICH[settings.value]}; * the best of its position"
    parts.append(f"{title}\n{heat_map.in_text(values, settings.value, terminal)}\n{note}")
    parts.append(_legend())
    if settings.out is not None:
        parts.append(f"Heat map written to {settings.out}.")
    print("\n\n".join(parts), file=stream)


def _heading(knowledge: Knowledge) -> str:
    learned = list(knowledge.agent.learned())
    states = len({state for state, _, _, _ in learned})
    return (
        f"{knowledge.run.path}: Q-learning after {knowledge.iterations} iterations and "
        f"{sum(t.iteration <= knowledge.iterations for t in knowledge.run.trials):,} trials,\n"
        f"{len(learned):,} Q-values learned in {states:,} states."
    )


def _legend() -> str:
    return (
        "Q        what the agent expects from here on, a reward of 100 % being 1; with\n"
        "         reward shaping the layers before the last add their shares, so values\n"
        "         fall towards the end of a block\n"
        "updates  how often replay moved the Q-value\n"
        "trials   in how many trials of the run the layer followed the last one of the\n"
        "         prefix, by which alone the table knows a prefix"
    )


def _next_text(layers: Sequence[NextLayer], top: int) -> str:
    visited = [layer for layer in layers if layer.visited]
    rows = [
        [
            str(rank),
            f"{next_.q:.4f}",
            f"{next_.updates:,}",
            f"{next_.trials:,}",
            f"{write([next_.layer])[1:-1]:16} {describe(next_.layer)}",
        ]
        for rank, next_ in enumerate(layers, start=1)
        if next_.visited
    ]
    text = ""
    if visited:
        text = table(["rank", "Q", "updates", "trials", "layer"], rows[:top]) + "\n"
        if len(rows) > top:
            text += f"and {len(rows) - top} more that were visited, down to {visited[-1].q:.4f}\n"
    unvisited = [layer for layer in layers if not layer.visited]
    if not unvisited:
        return f"{text}Every legal layer was visited."
    if len(unvisited) == len(layers):
        text += "Nothing was learned here; the agent would draw at random. "
    initial = unvisited[0].q
    above = sum(layer.q > initial for layer in visited)
    where = f", behind {above} of the {len(visited)} visited" if visited else ""
    counts = ", ".join(f"{count} {name}" for name, count in _counted(unvisited).items())
    return text + textwrap.fill(
        f"{len(unvisited)} of {len(layers)} legal layers never visited, all at the initial "
        f"{initial:.4f}{where}: {counts}.",
        80,
    )


def _counted(layers: Sequence[NextLayer]) -> dict[str, int]:
    return dict(collections.Counter(LayerType(layer.layer.type).title.lower() for layer in layers))


def _greedy_text(greedy: GreedyBlock, completion: GreedyBlock | None, terminal: Terminal) -> str:
    shown = completion or greedy
    title = "The rest of the block that the table would write now:"
    if completion is None:
        title = "The block that the table would write now, without a random action:"
    lines = [terminal.styled(title, Style.BOLD)]
    learned = shown.layers
    while learned and _unlearned(learned[-1]):
        learned = learned[:-1]
    rows = [
        [
            str(layer.layer.index),
            f"{layer.q:.4f}",
            f"{layer.updates:,}",
            f"{write([layer.layer])[1:-1]:16} {describe(layer.layer)}"
            + (f"  (first of {layer.ties} equal)" if layer.ties > 1 else ""),
        ]
        for layer in learned
    ]
    if rows:
        lines.append(table(["layer", "Q", "updates", ""], rows))
    if len(learned) < len(shown.layers):
        first = shown.layers[len(learned)]
        count = len(shown.layers) - len(learned)
        lines.append(
            f"From layer {first.layer.index} on nothing was learned; {count} "
            f"{'layers are' if count > 1 else 'layer is'} the first in the order of the space."
        )
    if any(layer.ties > 1 for layer in shown.layers):
        lines.append(
            "Of layers with equal Q-values the agent draws one at random; here it is the first."
        )
    lines += [*wrapped_code(write(shown.code), terminal.width), _became(shown)]
    if completion is not None and completion.code == greedy.code:
        lines.append("It is also what the table would write from the start.")
    elif completion is not None:
        lines.append("From the start the table would write another block:")
        lines += [*wrapped_code(write(greedy.code), terminal.width), _became(greedy)]
    return "\n".join(lines)


def _unlearned(layer: GreedyLayer) -> bool:
    """Whether the table has nothing on any choice there was; the only choice needs none."""
    return layer.updates == 0


def _became(greedy: GreedyBlock) -> str:
    trial = greedy.trial
    if trial is None:
        return "It has not been suggested in this run."
    if trial.status is Status.COMPLETED:
        return (
            f"It was trained, as trial {trial.number}: accuracy {number(trial.accuracy)} %, "
            f"reward {number(trial.reward)}."
        )
    reason = f" ({printable(trial.reason)})" if trial.reason else ""
    return f"It was not trained: trial {trial.number} is {trial.status}{reason}."


def _next_facts(layers: Sequence[NextLayer], top: int) -> dict[str, Any]:
    visited = [layer for layer in layers if layer.visited]
    unvisited = [layer for layer in layers if not layer.visited]
    return {
        "next": [
            {
                "layer": as_lists([layer.layer])[0],
                "q": layer.q,
                "updates": layer.updates,
                "trials": layer.trials,
            }
            for layer in visited[:top]
        ],
        "visited": len(visited),
        "unvisited": {
            "count": len(unvisited),
            "q": unvisited[0].q if unvisited else None,
            "by_type": _counted(unvisited),
        },
    }


def _greedy_facts(greedy: GreedyBlock) -> dict[str, Any]:
    trial = greedy.trial
    return {
        "code": write(greedy.code),
        "hash": greedy.hash,
        "layers": [
            {
                "layer": as_lists([layer.layer])[0],
                "q": layer.q,
                "updates": layer.updates,
                "ties": layer.ties,
            }
            for layer in greedy.layers
        ],
        "trial": trial
        and {
            "number": trial.number,
            "status": trial.status.value,
            "accuracy": trial.accuracy,
            "reward": trial.reward,
        },
    }
