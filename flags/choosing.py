"""What the preset `own` chooses, from facts of the data and of the machine.

The same facts give the same choices. A value that the user has named is never
changed, and the others are chosen to go with it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.evaluation.contract import TABLE, TRAIN
from blockqnn.flags.agents import agent_with
from blockqnn.flags.child_training import usual_schedule
from blockqnn.flags.choosing_finals import cost_of, finals_for
from blockqnn.flags.choosing_sizes import image_sizes
from blockqnn.flags.mixture import MIXTURE
from blockqnn.networks.cost import Cost
from blockqnn.networks.layout import IMAGENET, Layout
from blockqnn.networks.sizing import Match
from blockqnn.networks.spaces.registry import DEFAULT, design_of, space_named
from blockqnn.runs.rounds import Round, parse_rounds, short_rounds
from blockqnn.searching.refusals import rounded_up
from blockqnn.searching.size import costs

HOURS = 1.0
"""A search and its finals shall end within an hour wherever they are begun."""

_USED = 0.75
"""Of the hour; the rest is for compiling and for workers that wait for one another."""

_FLOPS_A_SECOND = 20e9
"""What a core does in training, with convolutions of few channels; measured by `bench`."""

_SECONDS_A_STEP, _SECONDS_A_CHILD = 0.01, 1.5
"""What a training step and a child take where their FLOPs are few."""

_FEWEST, _MOST, _MOST_OF_MANY = 60, 200, 400
"""Blocks: fewer are suggested only where children are slow, more only with many workers."""

_SAMPLE = 200
"""Random blocks whose costs stand for those that a search suggests."""

_REFUSED = 0.25
"""The share of random blocks that limits refuse. One in eight has no convolution, and together
they stay under two in five."""


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What is known of the images.

    Attributes:
        height: in pixels; where sizes differ, that of the median image.
        width: likewise.
        channels: of every image.
        classes: their number.
        images: of the training split, those that a search holds out included.
        one_size: whether all have the same size.
        scalable: whether another size can be asked for.
    """

    height: int
    width: int
    channels: int
    classes: int
    images: int
    one_size: bool = True
    scalable: bool = False


@dataclasses.dataclass(frozen=True)
class MachineFacts:
    """What is known of the machine.

    Attributes:
        workers: children that are trained at once.
        memory: of the machine in bytes.
        accelerator: what trains, `GPU` or `TPU`; empty for the CPU.
    """

    workers: int
    memory: int
    accelerator: str = ""

    def in_words(self) -> str:
        """How many of what train."""
        noun = self.accelerator or "core"
        return f"{self.workers} {noun}{'' if self.workers == 1 else 's'}"


@dataclasses.dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        values: of flags of `search`, by name; those that the user named are not among them.
        image_size: height and width that children see.
        seconds: that the search is expected to take; None where nothing was measured.
    """

    values: dict[str, Any]
    image_size: tuple[int, int]
    seconds: float | None


def choose(data: DataFacts, machine: MachineFacts, named: Mapping[str, Any]) -> Choice:
    """Chooses what the user has not named.

    Args:
        data: the images.
        machine: that searches.
        named: values of flags that the user has named.

    Returns:
        The choice: the largest images and the most training with which enough blocks fit
        into the time, or else the quickest.
    """
    hours = named.get("max_hours") or HOURS
    time = hours * 3600 * _USED * machine.workers
    own = data.height, data.width
    sizes = image_sizes(own, data.one_size, data.scalable, bool(machine.accelerator))
    for size in sizes:
        candidate = _Candidate(data, machine, named, size)
        # With fewer steps than the last a child tells little.
        for steps in (300, 225, 150) if size != sizes[-1] else (300, 225, 150, 75, 40):
            candidate.train(steps)
            if machine.accelerator or candidate.blocks(time) >= _FEWEST:
                return candidate.choice(hours, time)
    return candidate.choice(hours, time)


class _Candidate:
    """Children for images of one size."""

    def __init__(
        self,
        data: DataFacts,
        machine: MachineFacts,
        named: Mapping[str, Any],
        size: tuple[int, int],
    ):
        self._data, self._machine, self._named, self._size = data, machine, named, size
        self._most = _MOST if machine.workers <= 4 else _MOST_OF_MANY
        self._values: dict[str, Any] = {}
        self._choose("max_layers", 8 if machine.accelerator else 6)
        self._choose_layout()
        # One in six is held out.
        held = max(data.classes, round(data.images / 6))
        self._available = max(1, data.images - held)
        # A thousand tell 3 points apart; more would take as long as training.
        self._held = self._part("validation_examples", held, max(1_000, 10 * data.classes))
        self._costs = self._sample()
        self._choose_batch_and_limits()

    def _choose(self, name: str, value: Any) -> Any:
        """Chooses a value unless one is named, and returns what holds."""
        if name in self._named:
            return self._named[name]
        self._values[name] = value
        return value

    def _choose_layout(self) -> None:
        shortest, wide = min(self._size), 32 if self._machine.accelerator else 16
        space = self._named.get("space", DEFAULT)
        kinds = list(space_named(space).layouts)
        # From 64 pixels on, a stem that halves them twice costs a sixteenth and loses little.
        large = max(self._size) >= 64 and shortest >= 32
        usual = IMAGENET if large and IMAGENET in kinds else kinds[0]
        kind = self._choose("layout", usual)
        first = shortest // 4 if kind == IMAGENET else shortest
        # As many stages as leave 4 to 8 pixels a side to the classifier, as on CIFAR.
        stages = max(1, math.ceil(math.log2(first / 8)) + 1)
        stages = min(4, max(stages, 2 if first >= 8 else 1))
        # Channels double where pixels are halved, so that stages cost the same.
        filters = self._choose("filters", tuple(wide * 2**stage for stage in range(stages)))
        self.layout = Layout(
            kind=kind,
            filters=filters,
            repeats=self._named.get("repeats", 1),
            height=self._size[0],
            width=self._size[1],
            channels=self._data.channels,
            classes=self._data.classes,
        )

    def _part(self, name: str, available: int, most: int) -> int:
        """How many images of a part are used; the flag is 0 where that is all of them."""
        chosen = self._choose(name, most if available > most else 0)
        return min(available, chosen or available)

    def _sample(self) -> list[Cost]:
        """What random blocks cost that may be trained."""
        space = space_named(self._named.get("space", DEFAULT), self._holding("max_layers"))
        exploration = RandomSearchConfig(self._named.get("exploration", "uniform"))
        designs = map(design_of, RandomSearch(space, exploration, seed=0).suggest(_SAMPLE))
        return costs(designs, self.layout, self._named.get("match"))

    def _holding(self, name: str) -> Any:
        return self._named[name] if name in self._named else self._values[name]

    def _choose_batch_and_limits(self) -> None:
        # Few images give few steps an epoch, unless steps are small.
        sizes = ((100, 8), (400, 16), (2_000, 32))
        batch = next((size for most, size in sizes if self._available < most), 64)
        if self._machine.accelerator and self._available >= 5_000:
            batch = 128
        refused = min(int(_REFUSED * _SAMPLE), len(self._costs) - 1)
        flops = sorted((found.flops for found in self._costs), reverse=True)[refused]
        numbers = sorted((found.activations for found in self._costs), reverse=True)[refused]
        # Weights, gradients and the images need room too; of an accelerator's memory is assumed
        # what the smallest of today's have.
        memory = 8e9 if self._machine.accelerator else self._machine.memory / 6
        memory /= 1 if self._machine.accelerator else self._machine.workers
        while batch > 8 and 4 * numbers * batch > memory:
            batch //= 2
        self._batch = self._choose("batch_size", batch)
        match: Match | None = self._named.get("match")
        flops = max(flops, match.most) if match and match.figure == "flops" else flops
        self._choose("max_flops", rounded_up(flops))
        self._choose("max_activation_bytes", rounded_up(memory))
        limit = self._holding("max_flops") or math.inf
        kept = [found.flops for found in self._costs if found.flops <= limit]
        self._flops = sum(kept) / max(1, len(kept))

    def train(self, steps: int) -> None:
        """Chooses how long a child is trained.

        Args:
            steps: of training, as far as that needs no more than 30 epochs.
        """
        # Three passes at least: the first one tells whether a child learns at all.
        most = 20_000 if self._machine.accelerator else steps * self._batch // 3
        train = self._part("train_examples", self._available, max(most, 20 * self._data.classes))
        a_pass = math.ceil(train / self._batch)
        epochs = self._choose("epochs", max(3, min(30, round(steps / a_pass))))
        for name, value in usual_schedule(self._named, epochs).items():
            self._choose(name, value)
        # A backward pass takes twice a forward one.
        flops = epochs * (3 * train + self._held) * self._flops
        self.seconds = (
            _SECONDS_A_CHILD + _SECONDS_A_STEP * a_pass * epochs + flops / _FLOPS_A_SECOND
        )

    def _finals(self, time: float) -> tuple[tuple[Round, ...], float]:
        """The finals, and how many children of the search take as long."""
        epochs, workers = self._holding("epochs"), self._machine.workers
        if "finals" in self._named:
            finals = parse_rounds(self._named["finals"])
        elif self._named.get("evaluator", TRAIN) == TABLE:
            finals = ()
        else:
            most = self._named.get("max_blocks") or self._most
            finals = finals_for(self._room(time), most, epochs, workers)
        return finals, cost_of(finals, epochs, workers)

    def _room(self, time: float) -> float:
        return math.inf if self._machine.accelerator else time / self.seconds

    def blocks(self, time: float) -> int:
        """Blocks beside the finals, in the seconds that all workers together have."""
        return max(0, int(min(self._most, self._room(time) - self._finals(time)[1])))

    def choice(self, hours: float, time: float) -> Choice:
        """Chooses the budget and the agent, and ends with it.

        Args:
            hours: that the search may take.
            time: seconds that all workers together have for children.

        Returns:
            The choice.
        """
        workers = self._machine.workers
        finals, extra = self._finals(time)
        self._choose("finals", short_rounds(finals))
        blocks = self.blocks(time)
        blocks = max(8, blocks // 10 * 10 if blocks >= 20 else blocks)
        # A mixture has epochs, each of which gives a design, and no budget.
        mixed = self._named.get("weights") == MIXTURE
        if not mixed and not {"max_blocks", "max_hours", "epsilon_schedule"} & set(self._named):
            self._choose("max_blocks", blocks)
            self._choose("max_hours", round(hours * blocks / (blocks + extra), 2))
        blocks = self._named.get("max_blocks") or blocks
        # On NAS-Bench-201 and on digits local search finds more with few blocks, and from a
        # hundred on q_learning_plus does (docs/results.md).
        usual = "q_learning_plus" if blocks >= 100 else "local_search"
        self._choose("agent", agent_with(self._named) or usual)
        # A dozen iterations to learn in, in each of which all workers are busy.
        turns = max(1, round(blocks / 12 / workers))
        self._choose("blocks_per_iteration", min(turns * workers, max(16, workers)))
        seconds = min((blocks + extra) * self.seconds / workers / _USED, hours * 3600)
        return Choice(
            dict(self._values), self._size, None if self._machine.accelerator else seconds
        )
