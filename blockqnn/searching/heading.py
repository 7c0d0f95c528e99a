"""The first lines of a search: what it read, with what it computes, what it will do."""

from __future__ import annotations

from blockqnn.data.datasets import contents
from blockqnn.data.images import VALIDATION_SHARE
from blockqnn.evaluation.contract import DRY, OF_IMAGES, TABLE
from blockqnn.heading import heading
from blockqnn.listing import counted, in_units, number
from blockqnn.networks.spaces.registry import space_named, stacked
from blockqnn.runs.rounds import in_words, parse_rounds
from blockqnn.searching.mixture_heading import descent_words, mixture_words
from blockqnn.searching.supernet_paths import bank_numbers, split_in_words
from blockqnn.settings import COSINE, ONE_CYCLE, STEPS, UNCHANGED, RunSettings, SearchSettings
from blockqnn.supernet_settings import ADAM, BY_AGENT
from blockqnn.workers.choice import local_places
from blockqnn.workers.contract import INLINE, RAY
from blockqnn.workers.machine import described, unused_gpus

SCHEDULES = {ONE_CYCLE: "one cycle", COSINE: "a cosine"}
"""Schedules of a child in words, but for the paper's."""


def search_heading(settings: SearchSettings, run: RunSettings) -> str:
    """What a search says before it begins.

    Args:
        settings: what is searched.
        run: how and where.

    Returns:
        Lines with data, device, children, search and directory.

    Raises:
        UserError: if the data set cannot be used.
    """
    return heading(
        {
            "Data": data_words(settings),
            "Device": device_words(settings, run),
            "Supernet": _supernet(settings),
            "Children": _children(settings),
            "Search": _search(settings, run),
            "Finals": _finals(run),
            "Run": str(run.run_dir),
        }
    )


def _finals(run: RunSettings) -> str:
    rounds = parse_rounds(run.finals)
    if not rounds or run.finals_recipe is None:
        return in_words(rounds)
    return f"{in_words(rounds)}\nby the search's recipe, but {' '.join(run.finals_recipe.flags)}"


def data_words(settings: SearchSettings) -> str | None:
    """What is read, for a heading.

    Args:
        settings: of the search.

    Returns:
        A line or two; None where a function of the user's evaluates.

    Raises:
        UserError: if the data set cannot be used.
    """
    if settings.evaluator == DRY:
        return f"{settings.data.dataset}, of which a dry run reads nothing"
    if settings.evaluator == TABLE:
        return f"accuracies from {settings.table.path}, column {settings.table.column}"
    if settings.evaluator not in OF_IMAGES:
        return None
    found = contents(settings.data)
    judged = (
        ""
        if found.validation
        else f"\nOne training image in {VALIDATION_SHARE} is held out to judge by."
    )
    return found.in_words() + judged


def device_words(settings: SearchSettings, run: RunSettings) -> str | None:
    """With what children are trained, for a heading; None where none are.

    Args:
        settings: of the search.
        run: where it is carried out.

    Returns:
        A line or two.
    """
    if settings.evaluator not in OF_IMAGES:
        return None
    if run.executor == RAY:
        return f"what Ray has at {run.ray.address}"
    places = None if run.executor == INLINE else local_places(settings, run)
    return "\n".join(filter(None, [described(places), unused_gpus()]))


def _children(settings: SearchSettings) -> str | None:
    if settings.evaluator not in OF_IMAGES:
        return None
    layout, recipe = settings.layout, settings.recipe
    filters = ",".join(map(str, layout.filters))
    if settings.match is not None:
        filters += f" scaled to {settings.match.words}"
    taught = f"{counted(recipe.epochs, 'epoch')} in batches of {recipe.batch_size}"
    if settings.supernet is not None and settings.supernet.mixture is not None:
        taught = "derived from the mixture after each epoch"
    elif settings.supernet is not None:
        taught = f"scored by the supernet's weights on validation {layout.examples}"
    elif settings.proxy:
        taught = f"untrained, by their {settings.proxy} on {recipe.batch_size} images"
    elif recipe.schedule != STEPS:
        taught += f", {SCHEDULES[recipe.schedule]} of the learning rate"
    if layout.of_words:
        count = counted(len(layout.filters) * layout.repeats, "recurrent cell")
        return f"language models with {count} of {filters} numbers; {taught}"
    if settings.supernet is None and not settings.proxy:
        taught += _changed(recipe.augmentation)
    return f"{stacked(layout)} with filters {filters}, layout {layout.kind}; {taught}"


def _changed(augmentation: str) -> str:
    """What happens to images before an epoch, if anything."""
    return "" if augmentation == UNCHANGED else f", images {augmentation} and mirrored at random"


def _supernet(settings: SearchSettings) -> str | None:
    own = settings.supernet
    if own is None:
        return None
    if own.mixture is not None:
        return mixture_words(settings, own, own.mixture)
    chosen = "the agent's" if own.paths == BY_AGENT else own.paths
    lines = [
        f"{counted(own.epochs, 'epoch')} in batches of {own.batch_size}, {chosen} paths, "
        f"{descent_words(own)}{_changed(own.augmentation)}",
        "Scores are by perplexity, each cell from states of zeros; the test text is never read."
        if settings.layout.of_words
        else f"Scores with {own.statistics} statistics; the test split is never looked at.",
    ]
    space, layout = space_named(settings.space, settings.max_layers), own.layout_of(settings.layout)
    numbers = bank_numbers(space, layout)
    # Adam keeps two moments of each number, momentum one.
    arrays = 3 if own.optimiser == ADAM else 2
    lines.append(
        f"{in_units(numbers)} parameters, {in_units(4 * arrays * numbers)}B with the optimiser's "
        f"state{' for each part' if own.split else ''}."
    )
    if settings.recipe.execution != "layers" and (reason := space.unplanned(layout)):
        lines.append(f"Layer by layer on every device: {reason[0].lower()}{reason[1:]}.")
    if own.split:
        lines.insert(1, split_in_words(own, space))
    return "\n".join(lines)


def _search(settings: SearchSettings, run: RunSettings) -> str:
    first = len(settings.first_blocks)
    begins = f"\nIt begins with the {counted(first, 'block')} of --first_blocks." if first else ""
    return _agent_and_end(settings, run) + begins


def _agent_and_end(settings: SearchSettings, run: RunSettings) -> str:
    if settings.supernet is not None and settings.supernet.mixture is not None:
        return f"by gradient, {counted(settings.iterations, 'epoch')}"
    name = run.flag_values["agent"]
    if settings.budget:
        ends = []
        if settings.budget.max_blocks:
            ends.append(f"{counted(settings.budget.max_blocks, 'block')} trained")
        if settings.budget.max_hours:
            ends.append(f"{number(settings.budget.max_hours, 2)} hours")
        return f"{name}, until {' or '.join(ends)}"
    each = counted(settings.blocks_per_iteration, "block")
    return f"{name}, {counted(settings.iterations, 'iteration')} of {each}"
