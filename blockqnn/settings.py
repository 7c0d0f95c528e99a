"""What a search is made of, as frozen dataclasses. `flags` fills them."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from blockqnn.agents.contract import Agent
from blockqnn.agents.growing import Growth
from blockqnn.agents.registry import AgentConfig, make_agent
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.sizing import Match
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_named
from blockqnn.recipe_settings import AUGMENTATIONS as AUGMENTATIONS
from blockqnn.recipe_settings import COSINE as COSINE
from blockqnn.recipe_settings import ENLARGED as ENLARGED
from blockqnn.recipe_settings import ONE_CYCLE as ONE_CYCLE
from blockqnn.recipe_settings import PADDED as PADDED
from blockqnn.recipe_settings import STEPS as STEPS
from blockqnn.recipe_settings import UNCHANGED as UNCHANGED
from blockqnn.recipe_settings import FinalsRecipe as FinalsRecipe
from blockqnn.recipe_settings import Recipe as Recipe
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.worker_settings import DrySettings as DrySettings
from blockqnn.worker_settings import RaySettings as RaySettings
from blockqnn.worker_settings import WorkerSettings as WorkerSettings


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Which images, and how they are split.

    Attributes:
        dataset: `digits`, `synthetic:HxWxC:CLASSES`, `npz:PATH`, `folder:PATH` or
            the name of a TFDS data set.
        data_dir: where TFDS keeps prepared data sets; empty for its default.
        train_examples: most images to train on; 0 for all that are not held out.
        split_seed: of the choice of the images that are held out.
        validation_examples: most images held out that children are judged by; 0 for all.
        resize: height and width that every image is scaled to, its longer side
            cut evenly at both ends; None for images as they are.
        background: red, green and blue, 0 to 255, behind transparent pixels.
        class_folders: names of folders that are classes although they are
            called like a split, such as `train`.
        skip_folders: names of folders that are not read.
        own_validation: judge by the data's own validation split, if any, not by one image in six.
        text_by: what a text is cut into, see `blockqnn.data.text`.
        vocabulary: words that are known at most; 0 for all of the training text.
        unknown_word: that stands for all others.
    """

    dataset: str = "digits"
    data_dir: str = ""
    train_examples: int = 0
    split_seed: int = 0
    validation_examples: int = 0
    resize: tuple[int, int] | None = None
    background: tuple[int, int, int] = (255, 255, 255)
    class_folders: tuple[str, ...] = ()
    skip_folders: tuple[str, ...] = ()
    own_validation: bool = True
    text_by: str = "own"
    vocabulary: int = 10_000
    unknown_word: str = "<unk>"

    def __post_init__(self) -> None:
        """Makes tuples of what JSON has as lists."""
        for name in ("resize", "background", "class_folders", "skip_folders"):
            value = getattr(self, name)
            object.__setattr__(self, name, value if value is None else tuple(value))


@dataclasses.dataclass(frozen=True)
class RewardSettings:
    """Coefficients of equation 7.

    Attributes:
        mu: weight of log(FLOPs in millions), in percent of accuracy.
        rho: weight of log(density), in percent of accuracy.
        last_epochs: of a training, whose highest accuracy counts.
        perplexity_power: of language models, whose reward is 80 / perplexity to this power; 0 of
            children that see images.
    """

    mu: float = 1.0
    rho: float = 8.0
    last_epochs: int = 1
    perplexity_power: int = 0


@dataclasses.dataclass(frozen=True)
class TableSettings:
    """Where accuracies are looked up.

    Attributes:
        path: of a CSV file, see `blockqnn.evaluation.table`.
        column: that the search sees.
        space: name of the space, where the table makes it; else empty.
    """

    path: str = ""
    column: str = ""
    space: str = ""


NO_TABLE = TableSettings()
"""Of a search that looks nothing up."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """After how much a search ends, instead of after the iterations of its schedule.

    Attributes:
        max_blocks: that are trained, what is known or infeasible being free; 0 for no such end.
        max_hours: of searching, those of earlier processes included; 0 for no such end.
    """

    max_blocks: int = 0
    max_hours: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.max_blocks or self.max_hours)


NO_BUDGET = Budget()
"""Of a search as long as its schedule."""


PYTHON = "python"
"""The evaluator of a search by a function of the user's, which no flag can name."""


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """A whole search.

    Attributes:
        agent: settings of the agent, which also say which agent it is.
        schedule: pairs of epsilon and a number of iterations; without a budget
            its length is that of the search for every agent.
        blocks_per_iteration: trials of an iteration, infeasible ones not counted.
        space: name of the search space.
        max_layers: most layers of a block, Terminal not counted.
        seed: fixes every random choice.
        layout: of the child networks.
        limits: what a child may cost.
        data: the images.
        recipe: how a child is trained.
        reward: how accuracy is corrected.
        evaluator: `train`, `table` for measured accuracies, `dry` for made-up ones,
            `proxy` for scores of untrained children, or `shared` for scores by weights that
            all share.
        table: where `table` looks them up.
        asynchronous: whether a free worker gets a new suggestion before the iteration's end.
        budget: ends the search, and scales the schedule to itself.
        match: the size that every child is brought to by its filters; None for those it has.
        proxy: the score of `proxy`.
        first_blocks: that are tried before the agent's own, in their order.
        supernet: of `shared`; None where each child has weights of its own.
        growth: of the layers of the networks that the agent designs; None for none.
    """

    agent: AgentConfig
    schedule: tuple[tuple[float, int], ...]
    blocks_per_iteration: int
    space: str
    max_layers: int
    seed: int
    layout: Layout
    limits: Limits
    data: DataSettings
    recipe: Recipe
    reward: RewardSettings
    evaluator: str
    table: TableSettings = NO_TABLE
    asynchronous: bool = False
    budget: Budget = NO_BUDGET
    match: Match | None = None
    proxy: str = ""
    first_blocks: tuple[Code, ...] = ()
    supernet: SupernetSettings | None = None
    growth: Growth | None = None

    @property
    def iterations(self) -> int:
        """How many iterations the schedule has."""
        return sum(count for _, count in self.schedule)

    def with_own_weights(self) -> SearchSettings:
        """The same search with children that train weights of their own, if these were shared."""
        if self.supernet is None:
            return self
        return dataclasses.replace(self, evaluator="train", supernet=None)

    def make_agent(self) -> Agent:
        """An agent that has learned nothing, for this search."""
        space = space_named(self.space, self.max_layers)
        return make_agent(self.agent, space, self.seed, self.growth)


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """How and where a search is carried out, which does not change what it finds.

    Attributes:
        run_dir: holds the store, the flags and the log.
        executor: `local` for worker processes, `ray` for a cluster, `inline` for none.
        workers: worker processes; 0 for as many as there is room for.
        cores_per_worker: to which each worker is bound where the CPU trains; 0 for none.
        worker: what each worker is told of its machine.
        child_timeout_seconds: after which a child is given up.
        flag_values: by name the flags with another value of which it is another search.
        flag_file: the text to keep in the run directory.
        tensorboard: write events for TensorBoard into the run directory.
        child_retries: how often a child is tried again whose worker died or hung.
        children_per_worker: after which a worker is replaced; 0 for never.
        ray: which cluster, and what a worker takes of it.
        notes: what is to be said before the search begins, line by line.
        from_python: whether a call began the search, and not a command.
        finals: rounds of the finals that follow the search, as text; empty or `off` for none.
        finals_recipe: how they train; None for the search's recipe.
        check: designs that are trained at the end to check scores of shared weights.
        share_batches: whether cores that no other child needs share the batches of one.
    """

    run_dir: pathlib.Path
    executor: str
    workers: int
    cores_per_worker: int
    worker: WorkerSettings
    child_timeout_seconds: float
    flag_values: dict[str, Any]
    flag_file: str
    tensorboard: bool = False
    child_retries: int = 0
    children_per_worker: int = 0
    ray: RaySettings = dataclasses.field(default_factory=RaySettings)
    notes: tuple[str, ...] = ()
    from_python: bool = False
    finals: str = ""
    finals_recipe: FinalsRecipe | None = None
    check: int = 0
    share_batches: bool = True
