"""The value of each kind of action by position as a heat map, on a terminal and as a figure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from blockqnn.agents.contract import Terms
from blockqnn.inspection.kinds import KindValue
from blockqnn.terminal import Rgb, Style, Terminal, readable_on

MEAN, BEST = "mean", "best"
WHICH = (MEAN, BEST)
SUFFIXES = (".svg", ".png", ".pdf")
# Five colours of viridis, which is as readable in grey and for the colour-blind.
_VIRIDIS: tuple[Rgb, ...] = (
    (68, 1, 84),
    (59, 82, 139),
    (33, 145, 140),
    (94, 201, 98),
    (253, 231, 37),
)
_NARROW = 8
"""Columns of a number with its star, at least."""


class Words(NamedTuple):
    """What is written on the figure.

    Attributes:
        title: over it.
        value: what the numbers are.
    """

    title: str
    value: str


def note(which: str, terms: Terms) -> str:
    """What the numbers are.

    Args:
        which: `mean` or `best`.
        terms: of the agent.

    Returns:
        Words without a full stop.
    """
    if not terms.value:
        each = {MEAN: "mean of", BEST: "highest of"}[which]
        return f"{each} the probabilities after what the run's last trials began with"
    each = {MEAN: "mean", BEST: "highest"}[which]
    weighted = f", weighted by {terms.visits}" if which == MEAN else ""
    return f"{each} of its learned {terms.value}s{weighted}"


def in_text(
    values: Sequence[KindValue], kinds: Sequence[str], which: str, visits: str, terminal: Terminal
) -> str:
    """The heat map for a terminal: numbers, and colours where there are enough.

    Args:
        values: of the kinds by position, at least one.
        kinds: all that there are, in order.
        which: `mean` or `best`.
        visits: the unit of the last column.
        terminal: to print on.

    Returns:
        Lines of at most 80 columns.
    """
    grid = {(value.position, value.kind): value for value in values}
    low, high = _bounds(values, which)
    widths = [max(_NARROW, *(len(word) + 1 for word in kind.split())) for kind in kinds]
    lines = [
        terminal.styled(line, Style.DIM)
        for line in _header([*map(str.split, kinds)], widths, visits)
    ]
    for position in sorted({value.position for value in values}):
        row = [grid.get((position, kind)) for kind in kinds]
        present = [value for value in row if value is not None]
        highest = max(_number(value, which) for value in present)
        line = f"{position:8} "
        for value, width in zip(row, widths, strict=True):
            if value is None:
                line += terminal.styled(f"{'-':>{width - 1}} ", Style.DIM)
                continue
            number = _number(value, which)
            cell = f"{number:{width - 1}.3f}{'*' if number == highest else ' '}"
            line += terminal.filled(cell, colour(number, low, high))
        lines.append(f"{line}{sum(value.visits for value in present):9,}")
    if terminal.filled(" ", _VIRIDIS[0]) != " ":
        steps = [low + (high - low) * step / 30 for step in range(31)]
        bar = "".join(terminal.filled(" ", colour(step, low, high)) for step in steps)
        lines.append(f"{'':8}{low:{_NARROW - 1}.3f} {bar} {high:.3f}")
    return "\n".join(lines)


def figure(
    values: Sequence[KindValue], kinds: Sequence[str], which: str, suffix: str, words: Words
) -> bytes:
    """The heat map as a file.

    Args:
        values: of the kinds by position, at least one.
        kinds: all that there are, in order.
        which: `mean` or `best`.
        suffix: `.svg`, `.png` or `.pdf`.
        words: on it, as plain text.

    Returns:
        The content of the file, the same for the same values.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    positions = range(1, max(value.position for value in values) + 1)
    cells = [[float("nan")] * len(positions) for _ in kinds]
    for value in values:
        cells[kinds.index(value.kind)][value.position - 1] = _number(value, which)
    low, high = _bounds(values, which)
    canvas = Figure(figsize=(2.6 + 0.52 * max(len(positions), 8), 4.4), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    image = axes.imshow(cells, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    for line, row in enumerate(cells):
        for place, number in enumerate(row):
            if number == number:  # NaN, where nothing was learned, is not.
                ink = readable_on(colour(number, low, high))
                axes.text(
                    place,
                    line,
                    f"{number:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=[part / 255 for part in ink],
                )
    axes.set_xticks(range(len(positions)), [str(position) for position in positions])
    axes.set_yticks(range(len(kinds)), list(kinds))
    axes.set_xlabel("position")
    axes.set_title(words.title, loc="left", fontsize=11, parse_math=False)
    canvas.colorbar(image, ax=axes, label=f"{words.value}, {which}", fraction=0.03, pad=0.01)
    content = io.BytesIO()
    # Text stays text, and neither names nor dates make two files of one map differ.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "blockqnn"}):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix)
        canvas.savefig(content, format=suffix[1:], dpi=144, metadata=metadata)
    return content.getvalue()


def colour(number: float, low: float, high: float) -> Rgb:
    """The colour of a number on the scale from `low` to `high`."""
    share = (number - low) / (high - low) if high > low else 0.5
    place = min(max(share, 0.0), 1.0) * (len(_VIRIDIS) - 1)
    below = min(int(place), len(_VIRIDIS) - 2)
    red, green, blue = (
        round(a + (b - a) * (place - below))
        for a, b in zip(_VIRIDIS[below], _VIRIDIS[below + 1], strict=True)
    )
    return red, green, blue


def _header(kinds: Sequence[Sequence[str]], widths: Sequence[int], visits: str) -> list[str]:
    """The names of the columns, a word under the other, the last ones at the bottom."""
    height = max(map(len, kinds))
    lines = []
    for row in range(-height, 0):
        words = [kind[row] if len(kind) >= -row else "" for kind in kinds]
        cells = "".join(f"{word:>{width - 1}} " for word, width in zip(words, widths, strict=True))
        last = row == -1
        lines.append(f"{'position' if last else '':8} {cells}{visits if last else '':>9}".rstrip())
    return lines


def _number(value: KindValue, which: str) -> float:
    return value.mean if which == MEAN else value.best


def _bounds(values: Sequence[KindValue], which: str) -> tuple[float, float]:
    numbers = [_number(value, which) for value in values]
    return min(numbers), max(numbers)
