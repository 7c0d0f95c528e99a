"""The verb `show`: a block, two blocks side by side, a trial's story, or trials of a run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TextIO

from blockqnn.drawing.terminal import for_stream
from blockqnn.errors import UserError
from blockqnn.inspection.block_reference import BEST, BlockReference, is_run, resolve
from blockqnn.inspection.selection import Selection
from blockqnn.inspection.show_block import design_facts, in_words, writable_cost
from blockqnn.inspection.show_comparison import show_comparison
from blockqnn.inspection.show_run import show_run
from blockqnn.inspection.show_trial import story_in_words
from blockqnn.inspection.story import story, story_facts
from blockqnn.inspection.trials_command import trial_facts
from blockqnn.networks.cost import auxiliary_parameters
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, graph_of
from blockqnn.runs.run_record import read_run
from blockqnn.terminal import terminal_of


@dataclasses.dataclass(frozen=True)
class ShowSettings:
    """What to show.

    Attributes:
        references: one block, two blocks, or the directory of a run.
        max_layers: most layers of a code, Terminal not counted.
        layout: for blocks that no run gives a layout.
        selection: which trials of a run to list, and in which order.
        top: how many of them.
        as_json: print one JSON object.
    """

    references: tuple[str, ...]
    max_layers: int
    layout: Layout
    selection: Selection
    top: int
    as_json: bool


def show(settings: ShowSettings, stream: TextIO) -> int:
    """Prints a block, two blocks side by side, or trials of a run.

    Args:
        settings: what to show.
        stream: where to print.

    Returns:
        The exit status: 1 for a run in which no block was trained.

    Raises:
        UserError: if there is no such block or run.
        CodeError: if a code breaks a rule.
    """
    if len(settings.references) == 2:
        first, second = (_block(reference, settings) for reference in settings.references)
        show_comparison(first, second, settings.layout, settings.as_json, stream)
    elif is_run(settings.references[0]):
        path = pathlib.Path(settings.references[0])
        return show_run(path, settings.selection, settings.top, settings.as_json, stream)
    else:
        _show_block(resolve(settings.references[0], settings.max_layers), settings, stream)
    return 0


def _block(reference: str, settings: ShowSettings) -> BlockReference:
    if is_run(reference):
        read_run(pathlib.Path(reference))
        raise UserError(
            f"{reference} is a run, and two blocks are compared; allowed: "
            f"{reference}#NUMBER or {reference}#{BEST}."
        )
    return resolve(reference, settings.max_layers)


def _show_block(found: BlockReference, settings: ShowSettings, stream: TextIO) -> None:
    layout = found.standing_in(settings.layout)
    design = design_of(found.code)
    spent, head = writable_cost(design, layout), auxiliary_parameters(design, layout)
    told = story(found.run, found.trial) if found.run and found.trial else None
    if settings.as_json:
        facts = design_facts(found.code, spent) | {"layout": layout.as_json()}
        facts |= {"auxiliary_parameters": head} if head else {}
        if told is not None and found.run is not None:
            facts |= {"trial": trial_facts(told.trial, found.run) | story_facts(told)}
        print(json.dumps(facts), file=stream)
        return
    lines = in_words(found.title, found.code, layout, spent, head)
    lines += ["", for_stream(graph_of(found.code, layout), stream)]
    if told is not None:
        lines += ["", *story_in_words(told, terminal_of(stream))]
    lines += [note for note in (found.note, found.notice) if note]
    print("\n".join(lines), file=stream)
