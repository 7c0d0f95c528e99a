"""What a search refuses because it is too large, and which limit would refuse less."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.networks.cost import Cost, Limits, is_about_size
from blockqnn.networks.sizing import Match, is_about_match, matched
from blockqnn.networks.spaces.contract import Design
from blockqnn.networks.spaces.registry import design_of, space_named
from blockqnn.searching.size import size_of
from blockqnn.settings import SearchSettings
from blockqnn.trial import Status, Trial

FEWEST_SUGGESTIONS = 20
"""Of fewer nothing can be said."""

_TOO_MANY = 0.5
_WANTED = 0.4
"""More than the one share is too much to refuse; less than the other is asked for."""

_SAMPLE = 300

_FEW = 60
"""Suggestions by which another size is chosen; it takes as long as all for one size."""

_OTHER_SIZES = (1.5, 2, 3, 5, 10, 20, 50, 100, 1000)
"""Times a wanted size, or parts of it, where others are looked for."""

_LIMITS = {
    "max_parameters": "parameters",
    "max_flops": "FLOPs",
    "max_activation_bytes": "bytes of activations",
}


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What suggestions would cost.

    Attributes:
        total: suggestions, those that are refused for other reasons included.
        costs: of the others, by the names of the limits.
    """

    total: int
    costs: Sequence[dict[str, int]]


def warning_beforehand(settings: SearchSettings) -> str | None:
    """Draws blocks at random, and tells if most of them would be refused for their size.

    Args:
        settings: of a search that begins.

    Returns:
        A line, or None where there is nothing to warn of.
    """
    if not any(dataclasses.astuple(settings.limits)) and settings.match is None:
        return None
    # The first networks are those that are suggested next.
    layers = settings.growth.first if settings.growth else settings.max_layers
    space = space_named(settings.space, layers)
    agent = RandomSearch(space, RandomSearchConfig(settings.agent.exploration), settings.seed)
    return _warning(settings, agent.suggest(_SAMPLE), f"Of {_SAMPLE} random suggestions")


def warning_afterwards(settings: SearchSettings, trials: Sequence[Trial]) -> str | None:
    """Tells if most of the suggestions of a run were refused for their size.

    Args:
        settings: of the search.
        trials: of the run.

    Returns:
        A line, or None where there is nothing to warn of.
    """
    refused = sum(map(_is_refused, trials))
    if len(trials) < FEWEST_SUGGESTIONS or refused <= _TOO_MANY * len(trials):
        return None
    return _warning(settings, [trial.code for trial in trials], f"Of {len(trials):,} suggestions")


def _warning(settings: SearchSettings, codes: Sequence[Any], of_what: str) -> str | None:
    if settings.match is not None and (missing := _match_advice(settings, codes, of_what)):
        return missing
    return advice(_sizes(settings, codes), settings.limits, of_what)


class RefusalWatch:
    """Listens to a search, and warns once."""

    def __init__(self, settings: SearchSettings, before: Sequence[Trial]):
        """Begins to listen.

        Args:
            settings: of the search.
            before: trials of earlier processes.
        """
        self._settings, self._trials = settings, list(before)
        self._refused = sum(map(_is_refused, before))
        self._warned = False

    def beforehand(self) -> str | None:
        """A line on a search that is about to begin; None for one that goes on."""
        warning = None if self._trials else warning_beforehand(self._settings)
        self._warned = warning is not None
        return warning

    def finished(self, trial: Trial) -> str | None:
        """A line, the first time that there is something to warn of.

        Args:
            trial: that has just finished.

        Returns:
            The line, or None.
        """
        self._trials.append(trial)
        self._refused += _is_refused(trial)
        if self._warned or self._refused <= _TOO_MANY * len(self._trials):
            return None
        warning = warning_afterwards(self._settings, self._trials)
        self._warned = warning is not None
        return warning


def _is_refused(trial: Trial) -> bool:
    reason = trial.reason or ""
    about = is_about_size(reason) or is_about_match(reason)
    return trial.status is Status.INFEASIBLE and about


def advice(sizes: Sizes, limits: Limits, of_what: str) -> str | None:
    """Which limit refuses more than half, and what it would have to be.

    Args:
        sizes: of the suggestions.
        limits: that hold.
        of_what: how the line begins.

    Returns:
        A line, or None where no more than half are refused for their size. The values in it
        refuse less than two in five of these suggestions.
    """
    held = {name: most for name, most in dataclasses.asdict(limits).items() if most}
    # How many times the limit each is, by the limit that it exceeds most.
    excess = {name: [found[name] / most for found in sizes.costs] for name, most in held.items()}
    worst = [max(ratios) for ratios in zip(*excess.values(), strict=True)] if held else []
    refused = sum(ratio > 1 for ratio in worst)
    if refused <= _TOO_MANY * sizes.total:
        return None
    counts = {name: sum(ratio > 1 for ratio in excess[name]) for name in held}
    blamed = max(counts, key=lambda name: counts[name])
    others = [
        max((excess[name][place] for name in held if name != blamed), default=0.0)
        for place in range(len(sizes.costs))
    ]
    # So many may be refused at most.
    most_refused = math.ceil(_WANTED * sizes.total) - 1
    raised = {blamed: excess[blamed]}
    free = most_refused - sum(ratio > 1 for ratio in others)
    ratios = [r for r, other in zip(excess[blamed], others, strict=True) if other <= 1]
    if free < 0:
        # The others refuse too many by themselves: all are raised alike.
        raised = {name: excess[name] for name in held if counts[name]}
        ratios, free = worst, most_refused
    factor = sorted(ratios, reverse=True)[free]
    values = " ".join(f"--{name}={rounded_up(held[name] * factor):_}" for name in raised)
    share = f"{100 * refused / sizes.total:.0f} %"
    return (
        f"{of_what} {share} are refused for their size, most of them because they have more "
        f"{_LIMITS[blamed]} than --{blamed}={held[blamed]:_} allows; {values} would refuse under "
        "40 %."
    )


def _match_advice(settings: SearchSettings, codes: Sequence[Any], of_what: str) -> str | None:
    """The nearest size that fewer would miss; None where no more than half miss the one asked for.

    Fewer miss a larger size where filters are few, whose steps are then large, and a smaller one
    where the largest filters of the grid are too few.
    """
    match = settings.match
    assert match is not None, "there is a size"
    designs = [design for code in codes if not (design := design_of(code)).emptiness]

    def missed(target: int, some: Sequence[Design]) -> int:
        at = Match(match.figure, target)
        return sum(matched(design, settings.layout, at).reason is not None for design in some)

    here = missed(match.target, designs)
    if here <= _TOO_MANY * len(codes):
        return None
    few = designs[:_FEW]
    # As large a part of them as that of all suggestions.
    most = _WANTED * len(codes) * len(few) / len(designs)
    share = f"{of_what} {100 * here / len(codes):.0f} % cannot have {match.words} by any filters"
    # What lies at a larger ratio is not the size that was asked for.
    for times in _OTHER_SIZES:
        for target in (rounded_up(match.target * times), rounded_up(match.target / times)):
            if target != match.target and missed(target, few) < most:
                at = Match(match.figure, target)
                return f"{share}; --match={at} would refuse about 40 % at most."
    return f"{share}; a size that more can have is far from it."


def _sizes(settings: SearchSettings, codes: Sequence[Any]) -> Sizes:
    size = 2 if settings.recipe.bfloat16 else 4
    batch = settings.recipe.batch_size
    found = []
    for code in codes:
        design = design_of(code)
        if not design.emptiness:
            found.append(_by_limit(size_of(design, settings).cost, batch * size))
    return Sizes(len(codes), found)


def _by_limit(spent: Cost, bytes_of_a_number: int) -> dict[str, int]:
    return {
        "max_parameters": spent.parameters,
        "max_flops": spent.flops,
        "max_activation_bytes": spent.activations * bytes_of_a_number,
    }


def rounded_up(value: float) -> int:
    """The least number that is at least the value and has two digits that are not zero."""
    step = 10 ** max(0, len(str(math.ceil(value))) - 2)
    return math.ceil(value / step) * step
