"""Drawings as SVG: one element that stands alone or inside a page."""

from __future__ import annotations

import re
from html import escape

from blockqnn.drawing.arrangement import Arrangement
from blockqnn.drawing.scene import Path, Text, scene

FONTS = "DejaVu Sans, Verdana, Geneva, sans-serif"
"""Of equal widths where one of the first three is there."""

_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML has no way to write."""


def svg(arrangement: Arrangement, title: str = "") -> str:
    """Paints an arrangement as SVG.

    Args:
        arrangement: what to paint.
        title: that readers' programs and browsers show for the whole; any text.

    Returns:
        One `<svg>` element without ground, ids, scripts or references.
    """
    width, height = _number(arrangement.width), _number(arrangement.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}pt" height="{height}pt" role="img" font-family="{FONTS}">'
    ]
    if title:
        parts.append(f"<title>{_escaped(title)}</title>")
    parts += [_path(item) if isinstance(item, Path) else _text(item) for item in scene(arrangement)]
    return "\n".join([*parts, "</svg>"])


def _path(path: Path) -> str:
    way = "".join(
        letter + " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        for letter, points in path.commands
    )
    attributes = [f'd="{way}"', f'fill="{path.fill or "none"}"']
    if path.stroke:
        attributes += [f'stroke="{path.stroke}"', f'stroke-width="{_number(path.line_width)}"']
    if path.dashes:
        attributes.append(f'stroke-dasharray="{" ".join(map(_number, path.dashes))}"')
    return f"<path {' '.join(attributes)}/>"


def _text(text: Text) -> str:
    attributes = [
        f'x="{_number(text.x)}"',
        f'y="{_number(text.y)}"',
        f'font-size="{_number(text.size)}"',
        f'fill="{text.colour}"',
    ]
    if text.centred:
        attributes.append('text-anchor="middle"')
    if text.bold:
        attributes.append('font-weight="bold"')
    return f"<text {' '.join(attributes)}>{_escaped(text.text)}</text>"


def _escaped(text: str) -> str:
    return escape(_UNWRITABLE.sub("\ufffd", text))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
