"""The value of each layer type by position as a heat map, on a terminal and as a figure."""

from __future__ import annotations

import io
from collections.abc import Sequence

from blockqnn.inspection.explanation import TypeValue
from blockqnn.networks.spaces.nsc.codes import LayerType
from blockqnn.terminal import Rgb, Style, Terminal, readable_on

MEAN, BEST = "mean", "best"
WHICH = {
    MEAN: "mean of its learned Q-values, weighted by updates",
    BEST: "highest of its learned Q-values",
}
SUFFIXES = (".svg", ".png", ".pdf")
_TITLES = {
    LayerType.CONVOLUTION: "conv",
    LayerType.MAX_POOLING: "max pool",
    LayerType.AVERAGE_POOLING: "avg pool",
    LayerType.IDENTITY: "identity",
    LayerType.ADD: "add",
    LayerType.CONCAT: "concat",
    LayerType.TERMINAL: "terminal",
}
# Five colours of viridis, which is as readable in grey and for the colour-blind.
_VIRIDIS: tuple[Rgb, ...] = (
    (68, 1, 84),
    (59, 82, 139),
    (33, 145, 140),
    (94, 201, 98),
    (253, 231, 37),
)
_CELL = 9


def in_text(values: Sequence[TypeValue], which: str, terminal: Terminal) -> str:
    """The heat map for a terminal: numbers, and colours where there are enough.

    Args:
        values: of the types by position, at least one.
        which: `mean` or `best`.
        terminal: to print on.

    Returns:
        Lines of at most 80 columns.
    """
    grid = {(value.position, value.type): value for value in values}
    low, high = _bounds(values, which)
    header = "position" + "".join(f"{title:>{_CELL - 1}} " for title in _TITLES.values())
    lines = [terminal.styled(f"{header}{'updates':>9}", Style.DIM)]
    for position in sorted({value.position for value in values}):
        row = [grid.get((position, kind)) for kind in _TITLES]
        present = [value for value in row if value is not None]
        highest = max(_number(value, which) for value in present)
        line = f"{position:8}"
        for value in row:
            if value is None:
                line += terminal.styled(f"{'-':>{_CELL - 1}} ", Style.DIM)
                continue
            number = _number(value, which)
            cell = f"{number:{_CELL - 1}.3f}{'*' if number == highest else ' '}"
            line += terminal.filled(cell, colour(number, low, high))
        lines.append(f"{line}{sum(value.updates for value in present):9,}")
    if terminal.filled(" ", _VIRIDIS[0]) != " ":
        steps = [low + (high - low) * step / 30 for step in range(31)]
        bar = "".join(terminal.filled(" ", colour(step, low, high)) for step in steps)
        lines.append(f"{'':8}{low:{_CELL - 1}.3f} {bar} {high:.3f}")
    return "\n".join(lines)


def figure(values: Sequence[TypeValue], which: str, suffix: str, title: str) -> bytes:
    """The heat map as a file.

    Args:
        values: of the types by position, at least one.
        which: `mean` or `best`.
        suffix: `.svg`, `.png` or `.pdf`.
        title: stands over it, as plain text.

    Returns:
        The content of the file, the same for the same values.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    positions = range(1, max(value.position for value in values) + 1)
    kinds = list(_TITLES)
    cells = [[float("nan")] * len(positions) for _ in kinds]
    for value in values:
        cells[kinds.index(value.type)][value.position - 1] = _number(value, which)
    low, high = _bounds(values, which)
    canvas = Figure(figsize=(2.6 + 0.52 * max(len(positions), 8), 4.4), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    image = axes.imshow(cells, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    for kind, row in enumerate(cells):
        for place, number in enumerate(row):
            if number == number:  # NaN, where nothing was learned, is not.
                ink = readable_on(colour(number, low, high))
                axes.text(
                    place,
                    kind,
                    f"{number:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=[part / 255 for part in ink],
                )
    axes.set_xticks(range(len(positions)), [str(position) for position in positions])
    axes.set_yticks(range(len(kinds)), [_TITLES[kind] for kind in kinds])
    axes.set_xlabel("position in the block")
    axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    canvas.colorbar(image, ax=axes, label=f"Q, {which}", fraction=0.03, pad=0.01)
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


def _number(value: TypeValue, which: str) -> float:
    return value.mean if which == MEAN else value.best


def _bounds(values: Sequence[TypeValue], which: str) -> tuple[float, float]:
    numbers = [_number(value, which) for value in values]
    return min(numbers), max(numbers)
