"""Drawings of blocks that show themselves: a picture in a notebook, text elsewhere."""

from __future__ import annotations

import os
import pathlib

from blockqnn.drawing.arrangement import Arrangement, arrange
from blockqnn.drawing.difference import beside
from blockqnn.drawing.dot import dot
from blockqnn.drawing.palette import ADDED, REMOVED
from blockqnn.drawing.raster import pdf, png
from blockqnn.drawing.svg import svg
from blockqnn.drawing.terminal import in_text
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.matching import match
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import graph_of, side_of
from blockqnn.runs.whole_file import write_whole

SUFFIXES = (".svg", ".png", ".pdf", ".dot")


class Drawing:
    """A drawing of a block, or of two side by side."""

    def __init__(self, arrangement: Arrangement, title: str, text: str):
        """Keeps what is to be shown.

        Args:
            arrangement: where things stand.
            title: that the picture carries.
            text: the same as text.
        """
        self.arrangement, self._title, self._text = arrangement, title, text

    def __repr__(self) -> str:
        return self._text

    def _repr_svg_(self) -> str:
        return self.svg

    @property
    def svg(self) -> str:
        """One `<svg>` element, without script and references."""
        return svg(self.arrangement, self._title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the drawing to a file.

        Args:
            path: whose suffix, .svg, .png, .pdf or .dot, says the format.

        Raises:
            UserError: if the suffix is none of these, or the file cannot be written.
        """
        target = pathlib.Path(path)
        match target.suffix.lower():
            case ".svg":
                content = self.svg.encode()
            case ".png":
                content = png(self.arrangement)
            case ".pdf":
                content = pdf(self.arrangement)
            case ".dot":
                content = dot(self.arrangement, self._title).encode()
            case _:
                raise UserError(
                    f"A drawing is written to a file that ends in {', '.join(SUFFIXES)}; given "
                    f"{str(path)!r}."
                )
        write_whole(target, content, name="")


def drawing(block: Code | Design, layout: Layout | None, title: str) -> Drawing:
    """Draws a block.

    Args:
        block: what to draw.
        layout: whose first stage gives the widths on the edges, or None.
        title: of the picture.

    Returns:
        The drawing.
    """
    graph = graph_of(block, layout)
    return Drawing(arrange(graph), title, in_text(graph))


def comparison(
    blocks: tuple[Design, Design], layouts: tuple[Layout, Layout], titles: tuple[str, str]
) -> Drawing:
    """Draws two blocks side by side, and marks what only one of them has.

    Args:
        blocks: what to draw.
        layouts: of each, whose first stage gives the widths on its edges.
        titles: to stand over them.

    Returns:
        The drawing.
    """
    found = match(side_of(blocks[0]), side_of(blocks[1]))
    graphs = [graph_of(block, layout) for block, layout in zip(blocks, layouts, strict=True)]
    sides = ((found.only_first, REMOVED), (found.only_second, ADDED))
    texts = [
        f"{title}:\n\n{in_text(graph, marks=dict.fromkeys(nodes, mark))}"
        for graph, title, (nodes, mark) in zip(graphs, titles, sides, strict=True)
    ]
    first, second = map(arrange, graphs)
    return Drawing(beside(first, second, found, titles), " and ".join(titles), "\n\n".join(texts))
