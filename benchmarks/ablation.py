"""What each part of q_learning_plus gives: the agent with one part removed or exchanged.

Prints the mean judged accuracy of the best cell by the search column and its
standard deviation over the seeds. Half an hour on two cores with 500 seeds.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import itertools
import multiprocessing
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks._arguments import listed, make_parser
from blockqnn.agents.contract import Action, Agent, Episode
from blockqnn.agents.exploration import UNIFORM, draw
from blockqnn.agents.q_learning import PAPER_SCHEDULE, QLearning, QLearningConfig
from blockqnn.agents.q_learning_plus import QLearningPlus, QLearningPlusConfig, keep_best
from blockqnn.contests.contest import play_agent
from blockqnn.contests.contestants import parse_contestant
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.listing import table
from blockqnn.networks.spaces.registry import space_named
from blockqnn.workers.placement import available_cores

SPACE = space_named("nasbench201")
_ATTEMPTS = 50


class Variant(NamedTuple):
    """An agent that takes part.

    Attributes:
        make: makes it for a budget and a seed.
        batch: episodes of an iteration, by budget.
    """

    make: Callable[[int, int], Agent]
    batch: Callable[[int], int]


class WithRepeats(QLearningPlus):
    """Suggests whatever it draws first."""

    def _suggest(self, number: int) -> tuple[Action, ...]:
        return self._draw(self._epsilon(number))


class WithoutExploringStart(QLearningPlus):
    """Explores by epsilon alone, which has to fit the length of the episodes then."""

    def _draw(self, epsilon: float) -> tuple[Action, ...]:
        actions: list[Action] = []
        level = int(self._random.integers(len(self._best))) if self._best else 0
        state: Any = self._space.start
        while not actions or not self._space.is_end(state):
            groups = self._space.choices(state)
            explore = self._random.random() < epsilon
            greedy = None if explore else self._greedy(len(actions), level, groups)
            state = greedy or draw(self._random, groups, self._config.exploration)
            actions.append(state)
        return tuple(actions)


class OfLastAction(QLearningPlus):
    """The state is the last action, as in the paper, which on these cells names its position.

    A key of the table is a position, so each state gets a number instead.
    """

    def _draw(self, epsilon: float) -> tuple[Action, ...]:
        level, start = self._aim()
        actions: list[Action] = []
        state: Any = self._space.start
        while not actions or not self._space.is_end(state):
            groups = self._space.choices(state)
            explore = len(actions) == start or self._random.random() < epsilon
            greedy = None if explore else self._greedy(_number(state), level, groups)
            state = greedy or draw(self._random, groups, self._config.exploration)
            actions.append(state)
        return tuple(actions)

    def update(self, episodes: Sequence[Episode]) -> None:
        """Keeps the best returns after each action in each state."""
        for episode in episodes:
            self._episodes += 1
            self._known.add(episode.actions)
            if keep_best(self._best, episode.reward, self._config.ceilings):
                self._reached[episode.reward] = episode.actions
            state: Any = self._space.start
            for action in episode.actions:
                row = self._table.setdefault(_number(state), {})
                keep_best(row.setdefault(action, []), episode.reward, self._config.ceilings)
                state = action
            self._ranked.clear()


class OfMeans(QLearningPlus):
    """A Q-value is the mean return after an action at a position."""

    def _forget(self) -> None:
        super()._forget()
        self._sums: dict[tuple[int, Action], tuple[float, int]] = {}

    def update(self, episodes: Sequence[Episode]) -> None:
        """Adds the returns up."""
        super().update(episodes)
        self._ranked.clear()
        for episode in episodes:
            for t, action in enumerate(episode.actions):
                total, count = self._sums.get((t, action), (0.0, 0))
                self._sums[t, action] = (total + episode.reward, count + 1)

    def _rank(self, t: int, level: int) -> list[Action]:
        def mean(action: Action) -> float:
            total, count = self._sums[t, action]
            return total / count

        return sorted(self._table.get(t, {}), key=mean, reverse=True)


class WithoutRepeats(QLearning):
    """The paper's Q-learning, which draws again what it has learned from."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._known: set[tuple[Action, ...]] = set()
        self._attempt = 0

    @property
    def epsilon(self) -> float:
        """Grows while nothing new is drawn."""
        plain = super().epsilon
        return plain + (1 - plain) * self._attempt / _ATTEMPTS

    def update(self, episodes: Sequence[Episode]) -> None:
        """Remembers what was seen."""
        super().update(episodes)
        self._known |= {episode.actions for episode in episodes}

    def _suggest(self) -> tuple[Action, ...]:
        for attempt in range(_ATTEMPTS):
            self._attempt = attempt
            actions = super()._suggest()
            if actions not in self._known:
                break
        self._attempt = 0
        return actions


def _number(state: Any) -> int:
    return int(state[0]) * 100 + int(state[1])


def plus(kind: type[QLearningPlus] = QLearningPlus, **settings: Any) -> Variant:
    """A variant of q_learning_plus, of a class, with settings changed."""
    return Variant(
        functools.partial(_make_plus, kind, settings), parse_contestant("q_learning_plus").batch
    )


def paper(kind: type[QLearning], replays: int = 1, **settings: Any) -> Variant:
    """A variant of the paper's Q-learning, of a class, with settings changed.

    Args:
        kind: the class.
        replays: for each episode.
        settings: of `QLearningConfig`.

    Returns:
        The variant; iterations are as many as in the paper.
    """
    return Variant(
        functools.partial(_make_paper, kind, replays, settings),
        parse_contestant("q_learning").batch,
    )


def _make_plus(
    kind: type[QLearningPlus], settings: dict[str, Any], budget: int, seed: int
) -> Agent:
    config = QLearningPlusConfig(budget, exploration=UNIFORM)
    return kind(SPACE, dataclasses.replace(config, **settings), seed)


def _make_paper(
    kind: type[QLearning], replays: int, settings: dict[str, Any], budget: int, seed: int
) -> Agent:
    contestant = parse_contestant("q_learning")
    config = contestant.config(budget)
    settings = {"replay_updates": replays * contestant.batch(budget)} | settings
    assert isinstance(config, QLearningConfig)
    return kind(SPACE, dataclasses.replace(config, **settings), seed)


VARIANTS: dict[str, Variant] = {
    "q_learning_plus": plus(),
    "a mean return instead of the best": plus(OfMeans),
    "the last action as state instead of the position": plus(OfLastAction),
    "the paper's epsilon schedule": plus(
        epsilon_schedule=tuple((epsilon, count / 178) for epsilon, count in PAPER_SCHEDULE)
    ),
    "without a random phase": plus(epsilon_schedule=((0.0, 1.0),)),
    "one ceiling": plus(ceilings=1),
    "epsilon 1/6 instead of an exploring start": plus(
        WithoutExploringStart, epsilon_schedule=((1.0, 0.25), (1 / 6, 0.75))
    ),
    "with repeats": plus(WithRepeats),
    "q_learning, the paper's": paper(QLearning),
    "q_learning without repeats": paper(WithoutRepeats),
    "q_learning, alpha 0.1, 16 replays an evaluation": paper(
        QLearning, learning_rate=0.1, replays=16
    ),
    "the same without repeats": paper(WithoutRepeats, learning_rate=0.1, replays=16),
}


def play(
    make: Callable[[int, int], Agent],
    batch: int,
    budget: int,
    seeds: range,
    path: str,
    columns: tuple[str, str],
) -> list[float]:
    """Judged accuracies of the best cells of a variant, in percent."""
    accuracies = AccuracyTable(path, columns)
    found = []
    for seed in seeds:
        _, improvements = play_agent(make(budget, seed), batch, accuracies, budget)
        found.append(improvements[-1].judged)
    return found


def main(
    variants: Mapping[str, Variant] = VARIANTS,
    name: str = "ablation",
    description: str | None = __doc__,
) -> None:
    """Reads the arguments, plays every variant and prints the table.

    Args:
        variants: the agents by name.
        name: of the benchmark.
        description: of the benchmark.
    """
    parser = make_parser(name, description)
    parser.add_argument("table", metavar="TABLE", help="one of NAS-Bench-201, as for `compare`")
    parser.add_argument("--seeds", type=int, default=500, help="runs of each agent")
    parser.add_argument(
        "--budgets",
        type=listed(int),
        default="100,200,500,1000",
        help="evaluations, with commas between them",
    )
    parser.add_argument("--search_column", default="cifar10_valid_hp12", help="what the agents see")
    parser.add_argument(
        "--judge_column", default="cifar10_test_hp200_mean", help="what their best is judged by"
    )
    given = parser.parse_args()
    columns = (given.search_column, given.judge_column)
    budgets, seeds = given.budgets, range(given.seeds)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(len(available_cores()), context) as pool:
        futures = {
            (name, budget): pool.submit(
                play,
                variants[name].make,
                variants[name].batch(budget),
                *(budget, seeds, given.table, columns),
            )
            for name, budget in itertools.product(variants, budgets)
        }
        rows = []
        for name in variants:
            cells = []
            for budget in budgets:
                values = futures[name, budget].result()
                deviation = f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"
                cells.append(f"{statistics.fmean(values):.3f} +- {deviation}")
            rows.append([*cells, name])
    print(f"{len(seeds)} seeds")
    print(table([*(f"{budget:,} evaluations" for budget in budgets), "agent"], rows))


if __name__ == "__main__":
    main()
