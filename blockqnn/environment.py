"""The writing of designs as a Gymnasium environment, so that any agent can play it.

Importing this module registers `BlockQNN-v0`. Gymnasium imports what stands before a
colon: `gymnasium.make("blockqnn.environment:BlockQNN-v0")`.
"""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded

from blockqnn.data.datasets import describe
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TRAIN
from blockqnn.evaluation.given import AnyEvaluator, evaluation
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.sizing import Match
from blockqnn.networks.spaces.contract import MAX_LAYERS, Code, SearchSpace
from blockqnn.networks.spaces.registry import (
    DEFAULT,
    SPACES,
    graph_of,
    space_named,
)
from blockqnn.reward import corrected_reward, guessing_accuracy
from blockqnn.searching.size import sized
from blockqnn.settings import DataSettings, Recipe, RewardSettings
from blockqnn.trial import Job, Status, child_seed

ID = "BlockQNN-v0"
END, RAISE = "end", "raise"
BLOCK, LAYER = "block", "layer"


class BlockEnvironment(gymnasium.Env[np.ndarray, np.int64]):
    """Writes a design, decision by decision; the reward comes with the last one.

    What follows is said of blocks, whose decisions are layers; every search
    space can be played (`space=`), with as many columns as its decisions have
    fields. An episode is a block. An action is the number of a layer
    (`SearchSpace.numbered`);
    `info["action_mask"]`, int8 [actions], has a 1 for each that is legal, and
    `action_masks()` is the same as bool, as sb3-contrib asks for it.

    The observation, int64, is the block so far, [max_layers + 1, 5]: a row for
    each layer, its index, type, kernel and predecessors as the paper's Table 1
    has them, and zeros for what is not written yet. With
    `observation="layer"` it is the layer written last, [5], all zeros at the
    start: the state of the paper, from which its agent learns.

    Every step earns 0 but the last. Terminal earns the reward of equation 7 in
    percent, as in a search; a block that cannot be trained, an illegal action
    and a child that fails earn the accuracy of guessing. The last `info` says
    more: `code`, `hash`, `status` (`trained`, `known`, `infeasible`, `failed`
    or `illegal`), `reason`, `parameters`, `flops`, `block_flops`, `density`, and
    `accuracy` in percent where there is one. A block that has been trained
    before is known, whichever way it was written, and not trained again.

    Nothing is random but what the evaluator does, and that depends on
    `run_seed` and the block alone. Any policy can play; this one draws legal
    actions uniformly:

    >>> import gymnasium, blockqnn.environment
    >>> environment = gymnasium.make("BlockQNN-v0", max_layers=4)
    >>> environment.action_space.seed(1)
    1
    >>> observation, info = environment.reset(seed=0)
    >>> ended = False
    >>> while not ended:
    ...     action = environment.action_space.sample(info["action_mask"])
    ...     observation, reward, ended, _, info = environment.step(action)
    >>> print(info["status"], round(reward, 2), info["code"])
    trained 32.72 [(1,2,1,0,0),(2,1,1,1,0),(3,2,3,2,0),(4,6,0,0,3),(5,7,0,0,0)]
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012

    def __init__(
        self,
        evaluator: AnyEvaluator = DRY,
        *,
        space: str = DEFAULT,
        max_layers: int = MAX_LAYERS,
        data: DataSettings | None = None,
        layout: Layout | None = None,
        match: Match | None = None,
        limits: Limits | None = None,
        recipe: Recipe | None = None,
        reward: RewardSettings | None = None,
        run_seed: int = 0,
        observation: str = BLOCK,
        illegal_action: str = END,
        render_mode: str | None = None,
    ):
        """Creates the environment; its defaults are the digits and made-up accuracies.

        Args:
            evaluator: `dry` for accuracies that are made up at once, `train` to
                train children in this process, a function from a code to its
                accuracy in percent, or an object as
                `blockqnn.evaluation.contract.make_evaluator` returns it.
            space: name of the search space.
            max_layers: most layers of a design, its end not counted, where the
                space has such a limit.
            data: the images; None for the digits.
            layout: of children; None for that of the digits preset, for the size of the images.
            match: the size of every child, as of a search; None for the layout's filters.
            limits: what a child may cost; None for the paper's.
            recipe: how a child is trained; None for the paper's.
            reward: coefficients of equation 7; None for the paper's.
            run_seed: fixes the seed of each child, as `--seed` of a search.
            observation: `block` or `layer`.
            illegal_action: `end` to end the episode with the accuracy of
                guessing, or `raise` for `gymnasium.error.InvalidAction`.
            render_mode: `ansi` for text, `rgb_array` for a picture, or None.

        Raises:
            UserError: if an argument is none of these, or the data cannot be read.
        """
        _one_of("observation", observation, (BLOCK, LAYER))
        _one_of("illegal_action", illegal_action, (END, RAISE))
        _one_of("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        _one_of("space", space, tuple(SPACES))
        if max_layers < 1:
            raise UserError(f"max_layers is {max_layers}; allowed: at least 1.")
        self._space = space_named(space, max_layers)
        data, self._recipe = data or DataSettings(), recipe or Recipe()
        self.layout = layout or _layout(self._space, data, images_needed=evaluator == TRAIN)
        self._limits, self._reward = limits or Limits(), reward or RewardSettings()
        self._evaluate = evaluation(evaluator, data, self._recipe, self.layout)
        self._run_seed, self._match = run_seed, match
        self._whole_block, self._raise = observation == BLOCK, illegal_action == RAISE
        self.render_mode = render_mode
        self.actions = self._space.numbered()
        self.action_space = gymnasium.spaces.Discrete(len(self.actions))
        highest = np.array(self.actions.highest, np.int64)
        if self._whole_block:
            highest = np.tile(highest, (self.actions.length, 1))
        self.observation_space = gymnasium.spaces.Box(
            np.zeros_like(highest), highest, dtype=np.int64
        )
        self._layers: list[Any] = []
        self._over = True
        self._trained: dict[str, float] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins an empty block.

        Args:
            seed: as Gymnasium has it; nothing here is drawn from it.
            options: none are known.

        Returns:
            The observation and the info.
        """
        super().reset(seed=seed)
        self._layers, self._over = [], False
        return self._observation(), self._info()

    def step(self, action: SupportsFloat) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Writes a layer.

        Args:
            action: its number.

        Returns:
            The observation, the reward in percent, whether the episode has
            ended, False, and the info.

        Raises:
            ResetNeeded: if the episode has ended before.
            InvalidAction: if the action is no number of a layer, or is illegal
                here and the environment was told to raise.
        """
        if self._over:
            raise ResetNeeded("The block has ended; reset() begins another.")
        if not self.action_space.contains(action):
            raise InvalidAction(f"An action is 0 to {len(self.actions) - 1}, given {action!r}.")
        number = int(action)  # type: ignore[call-overload]
        position = len(self._layers) + 1
        if not self.actions.mask(position)[number]:
            return self._step_illegal(number, position)
        self._layers.append(self.actions.action(number, position))
        if not self._space.is_end(self._layers[-1]):
            return self._observation(), 0.0, False, False, self._info()
        self._over = True
        reward, result = self._assess(tuple(self._layers))
        return self._observation(), reward, True, False, self._info() | result

    def action_masks(self) -> np.ndarray:
        """Which actions are legal now: bool [actions], none once the block has ended."""
        if self._over:
            return np.zeros(len(self.actions), np.bool_)
        return self.actions.mask(len(self._layers) + 1)

    def render(self) -> Any:
        """Draws the block as it would be if it ended here.

        Returns:
            Text, uint8 [H, W, 3], or None, as `render_mode` has it.
        """
        if self.render_mode is None:
            return None
        if self.render_mode == "ansi":
            from blockqnn.drawing.terminal import in_text

            return in_text(graph_of(self._space.ended(self._layers)))
        # Most players never look, and these take a while to load.
        from blockqnn.drawing.arrangement import arrange
        from blockqnn.drawing.raster import pixels

        return pixels(arrange(graph_of(self._space.ended(self._layers))))

    def _step_illegal(
        self, action: int, position: int
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        layer = self.actions.action(action, position)
        reason = f"{tuple(map(int, layer))} may not stand at position {position}"
        if self._raise:
            raise InvalidAction(f"Action {action}: {reason}; see action_masks().")
        self._over = True
        result = {"status": "illegal", "reason": reason}
        guessing = guessing_accuracy(self.layout.classes)
        return self._observation(), guessing, True, False, self._info() | result

    def _assess(self, code: Code) -> tuple[float, dict[str, Any]]:
        """What a block earns, in percent, and what there is to say of it."""
        block = self._space.design(code)
        size = sized(block, self.layout, self._match, self._limits, self._recipe)
        spent, reason, filters = size.cost, size.reason, size.filters
        if reason:
            status = Status.INFEASIBLE
        elif block.hash in self._trained:
            status = Status.KNOWN
        else:
            seed = child_seed(self._run_seed, block.hash)
            outcome = self._evaluate(Job(len(self._trained) + 1, code, block.hash, seed, filters))
            status, reason = outcome.status, outcome.reason
            if status is Status.COMPLETED:
                self._trained[block.hash] = outcome.accuracies[-1]
        facts: dict[str, Any] = {
            "code": self._space.write(code),
            "hash": block.hash,
            "status": status.value,
            "reason": reason or "",
            "parameters": spent.parameters,
            "flops": spent.flops,
            "block_flops": spent.block_flops,
            "density": block.density,
            "filters": filters or self.layout.filters,
        }
        if status not in (Status.COMPLETED, Status.KNOWN):
            return guessing_accuracy(self.layout.classes), facts
        accuracy = self._trained[block.hash]
        reward = corrected_reward(accuracy, spent.block_flops, block.density, self._reward)
        return reward, facts | {"accuracy": accuracy}

    def _observation(self) -> np.ndarray:
        shape = self.observation_space.shape
        assert shape is not None
        observation = np.zeros(shape, np.int64)
        if self._whole_block:
            observation[: len(self._layers)] = np.reshape(
                np.array(self._layers, np.int64), (-1, shape[-1])
            )
        elif self._layers:
            observation[:] = np.array(self._layers[-1])
        return observation

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self.action_masks().astype(np.int8)}


def _one_of(name: str, given: str | None, allowed: tuple[str | None, ...]) -> None:
    if given not in allowed:
        raise UserError(f"{name} is {given!r}; allowed: {', '.join(map(repr, allowed))}.")


def _layout(space: SearchSpace, data: DataSettings, images_needed: bool) -> Layout:
    info = describe(data, images_needed)
    height, width, channels = info.shape
    return Layout(
        kind=next(iter(space.layouts)),
        filters=(16, 32),
        repeats=1,
        height=height,
        width=width,
        channels=channels,
        classes=info.classes,
    )


if ID not in gymnasium.registry:
    gymnasium.register(ID, entry_point="blockqnn.environment:BlockEnvironment")
