"""What the agent of a run has learned: Q-values, the greedy block, the value of layer types.

    knowledge = read_knowledge(pathlib.Path("runs/digits"))
    next_layers(knowledge, ())          # Q-values after a prefix, best first
    greedy_block(knowledge)             # what the table would write now
    type_values(knowledge)              # the heat map of layer type by position

Q-values are on the agent's scale, on which a reward of 100 % is 1.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from blockqnn.agents.q_learning import QLearning, QLearningConfig
from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import MAX_LAYERS, Code
from blockqnn.networks.spaces.nsc.codes import LayerCode, LayerType
from blockqnn.networks.spaces.nsc.space import BlockSpace
from blockqnn.networks.spaces.registry import DEFAULT, design_of
from blockqnn.runs.run_record import RunRecord, read_agent_state, read_run
from blockqnn.trial import Status, Trial


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """What an agent knew when the last iteration ended that its store has.

    Attributes:
        run: the agent's run, perhaps with trials that the agent has not learned from yet.
        agent: an agent with the table of then, which remembers no episodes.
        space: of the blocks that it writes.
        iterations: from which it has learned.
    """

    run: RunRecord
    agent: QLearning
    space: BlockSpace
    iterations: int


@dataclasses.dataclass(frozen=True)
class NextLayer:
    """A layer that may follow a prefix.

    Attributes:
        layer: Terminal included.
        q: its Q-value.
        updates: how often replay moved the Q-value; 0 for an initial one.
        trials: of the run in which this layer followed the prefix's last one.
    """

    layer: LayerCode
    q: float
    updates: int
    trials: int

    @property
    def visited(self) -> bool:
        """Whether any trial wrote the layer here."""
        return self.updates > 0 or self.trials > 0


@dataclasses.dataclass(frozen=True)
class GreedyLayer:
    """A layer that the table would write.

    Attributes:
        layer: the first of those with the highest Q-value, in the order of the space.
        q: its Q-value.
        updates: how often replay moved the Q-value.
        ties: how many layers have this Q-value, itself included; the agent
            draws one of them at random.
    """

    layer: LayerCode
    q: float
    updates: int
    ties: int


@dataclasses.dataclass(frozen=True)
class GreedyBlock:
    """The block that the table would write.

    Attributes:
        prefix: layers that were given.
        layers: those that the table adds, Terminal last.
        hash: names the block's canonical form.
        trial: that tells what became of the block, if the run has one: the one
            that was trained, else the first that suggested it.
    """

    prefix: Code
    layers: tuple[GreedyLayer, ...]
    hash: str
    trial: Trial | None

    @property
    def code(self) -> Code:
        """The whole block."""
        return (*self.prefix, *(greedy.layer for greedy in self.layers))


@dataclasses.dataclass(frozen=True)
class TypeValue:
    """What the table holds for a layer type at a position, of all states together.

    Attributes:
        position: of the layer in its block, from 1.
        type: of the layer.
        mean: of the Q-values that were learned, weighted by their updates.
        best: the highest of them.
        updates: how often replay moved them.
        entries: how many of them there are.
    """

    position: int
    type: LayerType
    mean: float
    best: float
    updates: int
    entries: int


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
        UserError: if its agent keeps no table, or nothing was learned in it, or
            the state is none of Q-learning.
    """
    kind = run.flags.get("agent", "q_learning")
    if kind != "q_learning":
        raise UserError(
            f"The run in {run.path} is one of agent {kind!r}, which keeps no table of Q-values; "
            "only runs with --agent=q_learning can be explained."
        )
    if run.flags.get("space", DEFAULT) != DEFAULT:
        raise UserError(
            f"The run in {run.path} designs cells of NAS-Bench-201; only runs that design blocks "
            "can be explained."
        )
    if not state:
        raise UserError(
            f"The agent of the run in {run.path} has learned nothing yet: its first iteration has "
            "not ended."
        )
    try:
        # Reading the table depends on no other setting.
        initial_q = float(run.flags.get("initial_q", QLearningConfig.initial_q))
        space = BlockSpace(int(run.flags.get("max_layers", MAX_LAYERS)))
        agent = QLearning(space, QLearningConfig(initial_q=initial_q), seed=0)
        agent.set_state(dict(state), [])
        iterations = int(state["iteration"])
        learned = [q for _, _, q, _ in agent.learned()]
        if not all(map(math.isfinite, [initial_q, *learned])):
            raise ValueError("a Q-value is not finite")
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"The agent's state in the store of {run.path} cannot be read: {error!r}."
        ) from error
    if not learned:
        raise UserError(
            f"The agent of the run in {run.path} has learned nothing: replay has not updated a "
            "single Q-value (--replay_updates)."
        )
    return Knowledge(run, agent, space, iterations)


def next_layers(knowledge: Knowledge, prefix: Code) -> list[NextLayer]:
    """What the table holds on the layers that may follow a prefix.

    The table knows a prefix by its last layer alone, so prefixes that end in
    the same layer have the same values.

    Args:
        knowledge: of the agent.
        prefix: layers without Terminal; none for the start.

    Returns:
        All legal layers, the highest Q-value first, equals in the order of the space.
    """
    last = len(prefix)
    followed: dict[LayerCode, int] = {}
    for trial in knowledge.run.trials:
        code = trial.code
        if len(code) > last and (not last or code[last - 1] == prefix[-1]):
            layer = code[last]
            followed[layer] = followed.get(layer, 0) + 1
    state = prefix[-1] if prefix else knowledge.space.start
    layers = [
        NextLayer(LayerCode(*action), q, updates, followed.get(LayerCode(*action), 0))
        for action, q, updates in knowledge.agent.q_values(state)
    ]
    return sorted(layers, key=lambda layer: -layer.q)


def greedy_block(knowledge: Knowledge, prefix: Code = ()) -> GreedyBlock:
    """The block that the table would write without a random action.

    Args:
        knowledge: of the agent.
        prefix: layers to begin with, without Terminal.

    Returns:
        The block; of layers with equal Q-values it has the first.
    """
    layers: list[GreedyLayer] = []
    state = prefix[-1] if prefix else knowledge.space.start
    while not layers or not knowledge.space.is_end(state):
        values = knowledge.agent.q_values(state)
        highest = max(q for _, q, _ in values)
        best = [(action, updates) for action, q, updates in values if q == highest]
        state = LayerCode(*best[0][0])
        layers.append(GreedyLayer(state, highest, best[0][1], len(best)))
    block_hash = design_of((*prefix, *(greedy.layer for greedy in layers))).hash
    return GreedyBlock(
        prefix, tuple(layers), block_hash, _what_became_of(knowledge.run, block_hash)
    )


def type_values(knowledge: Knowledge) -> list[TypeValue]:
    """The value of each layer type at each position where it was learned; at least one.

    Shaping (equation 6 of the paper) gives every layer a share of the reward,
    so values fall towards the end of a block; compare types at one position.

    Args:
        knowledge: of the agent.

    Returns:
        In order of position and type.
    """
    found: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for _, action, q, updates in knowledge.agent.learned():
        layer = LayerCode(*action)
        found.setdefault((layer.index, layer.type), []).append((q, updates))
    values = []
    for (position, kind), entries in sorted(found.items()):
        updates = sum(count for _, count in entries)
        values.append(
            TypeValue(
                position,
                LayerType(kind),
                mean=sum(q * count for q, count in entries) / updates,
                best=max(q for q, _ in entries),
                updates=updates,
                entries=len(entries),
            )
        )
    return values


def _what_became_of(run: RunRecord, block_hash: str) -> Trial | None:
    same = [trial for trial in run.trials if trial.hash == block_hash]
    trained = [trial for trial in same if trial.status is Status.COMPLETED]
    return next(iter(trained or same), None)
