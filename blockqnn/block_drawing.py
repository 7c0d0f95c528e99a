"""A drawing of a block that shows itself: a picture in a notebook, text elsewhere."""

from __future__ import annotations

import os
import pathlib

from blockqnn.drawing.arrangement import Arrangement, arrange
from blockqnn.drawing.raster import pdf, png
from blockqnn.drawing.svg import svg
from blockqnn.drawing.terminal import in_text
from blockqnn.errors import UserError
from networks.canonical import CanonicalBlock
from networks.codes import Code
from networks.layout import Layout

SUFFIXES = (".svg", ".png", ".pdf")


class Drawing:
    """A drawing of a block: a picture in a notebook, text elsewhere."""

    def __init__(self, block: Code | CanonicalBlock, layout: Layout | None, title: str):
        """Places the layers.

        Args:
            block: what to draw.
            layout: whose first stage gives the widths on the edges, or None.
            title: that the picture carries.
        """
        self._block, self._layout, self._title = block, layout, title
        self.arrangement: Arrangement = arrange(block, layout)

    def __repr__(self) -> str:
        return in_text(self._block, layout=self._layout)

    def _repr_svg_(self) -> str:
        return self.svg

    @property
    def svg(self) -> str:
        """One `<svg>` element, without script and references."""
        return svg(self.arrangement, self._title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the drawing to a file.

        Args:
            path: whose suffix, .svg, .png or .pdf, says the format.

        Raises:
            UserError: if the suffix is none of these, or the file cannot be written.
        """
        target = pathlib.Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            raise UserError(
                f"A drawing is written to a file with the suffix {' or '.join(SUFFIXES)}, "
                f"given {str(path)!r}."
            )
        if suffix == ".svg":
            content = self.svg.encode()
        else:
            content = (png if suffix == ".png" else pdf)(self.arrangement)
        try:
            target.write_bytes(content)
        except OSError as error:
            raise UserError(f"{target} cannot be written: {error.strerror or error}.") from error
