"""The verb `draw`: a block, or two side by side, as a picture or as text."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, TextIO

from blockqnn.drawing.palette import ADDED, REMOVED
from blockqnn.drawing.terminal import for_stream
from blockqnn.errors import UserError
from blockqnn.inspection.block_reference import BlockReference, resolve
from blockqnn.networks.layout import Layout
from blockqnn.networks.matching import Matching, match
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import design_of, fitting, graph_of, side_of, write
from blockqnn.runs.whole_file import write_whole

if TYPE_CHECKING:
    from blockqnn.drawing.arrangement import Arrangement

SUFFIXES = (".svg", ".png", ".pdf", ".dot")


@dataclasses.dataclass(frozen=True)
class DrawSettings:
    """What to draw.

    Attributes:
        references: one block, or two to compare.
        out: file to write, or None to print text.
        canonical: whether to draw what the codes mean instead of as written.
        dots_per_inch: of a .png, in which 72 points are an inch.
        max_layers: most layers of a code, Terminal not counted.
        layout: whose first stage gives the widths where no run gives a layout.
    """

    references: tuple[str, ...]
    out: pathlib.Path | None
    canonical: bool
    dots_per_inch: int
    max_layers: int
    layout: Layout


def draw(settings: DrawSettings, stream: TextIO) -> None:
    """Draws one block or two into a file, or prints the drawing.

    Args:
        settings: what to draw.
        stream: where to print.

    Raises:
        UserError: if there is no such block, or the file cannot be written.
        CodeError: if a code breaks a rule.
    """
    if settings.out is not None and settings.out.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"--out is {str(settings.out)!r}; allowed: a name that ends in {', '.join(SUFFIXES)}."
        )
    found = [resolve(reference, settings.max_layers) for reference in settings.references]
    layouts, note = _widths(found, settings.layout)
    drawn = [_Drawn(*pair, settings.canonical) for pair in zip(found, layouts, strict=True)]
    note = [*dict.fromkeys(filter(None, (block.note for block in found))), *note]
    if len({one.title for one in drawn}) < len(drawn):
        for place, one in zip(("first", "second"), drawn, strict=True):
            one.title = f"{place} {one.title}"
    matching = match(side_of(drawn[0].block), side_of(drawn[1].block)) if len(drawn) > 1 else None
    if settings.out is None:
        _print(drawn, matching, stream)
        print("".join(f"{line}\n" for line in note), end="", file=stream)
        return
    arrangement = _arranged(drawn, matching)
    title = " and ".join(f"{one.title}: {write(one.code)}" for one in found)
    write_whole(settings.out, _painted(arrangement, title, settings))
    size = f"{arrangement.width:.0f} x {arrangement.height:.0f} points"
    print(f"Drew {' and '.join(one.title for one in drawn)}: {settings.out}, {size}.", file=stream)
    if matching is not None:
        note.insert(0, _summary(drawn, matching))
    print("".join(f"{line}\n" for line in note), end="", file=stream)


class _Drawn:
    """A block as it is to be drawn."""

    def __init__(self, found: BlockReference, layout: Layout, canonical: bool):
        self.title = found.title
        self.block: Code | Design = design_of(found.code) if canonical else found.code
        self.graph = graph_of(self.block, fitting(found.code, layout))


def _widths(found: list[BlockReference], default: Layout) -> tuple[list[Layout], list[str]]:
    """The layout that gives each block its widths, and what is to be said of them."""
    first = next((block.layout for block in found if block.layout), default)
    others = [one for one in found if one.layout and one.layout.filters != first.filters]
    if not others:
        return [first] * len(found), []
    if any(one.trial and one.trial.filters for one in found):
        # In a search of equal sizes the width belongs to the block.
        own = [one.standing_in(first) for one in found]
        each = (f"{one.title} has {_commas(of)}" for one, of in zip(found, own, strict=True))
        return own, [f"Widths are those of each child's own filters: {', '.join(each)}."]
    # Widths of two runs cannot be compared: the first run's are those of both.
    titles = ", ".join(one.title for one in others)
    return [first] * len(found), [f"Widths of {titles} too are those of {found[0].title}."]


def _commas(layout: Layout) -> str:
    return ",".join(map(str, layout.filters))


def _print(drawn: list[_Drawn], matching: Matching | None, stream: TextIO) -> None:
    if matching is None:
        print(for_stream(drawn[0].graph, stream), file=stream)
        return
    sides = ((matching.only_first, REMOVED), (matching.only_second, ADDED))
    for one, (nodes, mark) in zip(drawn, sides, strict=True):
        text = for_stream(one.graph, stream, dict.fromkeys(nodes, mark))
        print(f"{one.title}:\n\n{text}\n", file=stream)
    print(_summary(drawn, matching), file=stream)


def _summary(drawn: list[_Drawn], matching: Matching) -> str:
    first, second = matching.only_first, matching.only_second
    first_edges, second_edges = matching.edges_only_first, matching.edges_only_second
    if not (first or second or first_edges or second_edges):
        return "Nothing differs."
    return "\n".join(
        f"{sign} {colour}, only in {one.title}: {_count(len(nodes), 'layer')}, "
        f"{_count(len(edges), 'edge')}"
        for sign, colour, one, nodes, edges in (
            ("-", "red", drawn[0], first, first_edges),
            ("+", "green", drawn[1], second, second_edges),
        )
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _arranged(drawn: list[_Drawn], matching: Matching | None) -> Arrangement:
    # igraph takes a while to import, and text needs none.
    from blockqnn.drawing.arrangement import arrange
    from blockqnn.drawing.difference import beside

    arrangements = [arrange(one.graph) for one in drawn]
    if matching is None:
        return arrangements[0]
    titles = (drawn[0].title, drawn[1].title)
    return beside(arrangements[0], arrangements[1], matching, titles)


def _painted(arrangement: Arrangement, title: str, settings: DrawSettings) -> bytes:
    assert settings.out is not None
    suffix = settings.out.suffix.lower()
    if suffix == ".svg":
        from blockqnn.drawing.svg import svg

        return f"{svg(arrangement, title)}\n".encode()
    if suffix == ".dot":
        from blockqnn.drawing.dot import dot

        return dot(arrangement, title).encode()
    from blockqnn.drawing.raster import pdf, png

    return png(arrangement, settings.dots_per_inch) if suffix == ".png" else pdf(arrangement)
