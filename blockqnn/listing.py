"""Figures as text: numbers with units, and tables for the terminal."""

from __future__ import annotations

import decimal
from collections.abc import Sequence

from blockqnn.networks.spaces.registry import write
from blockqnn.trial import Trial

DRY_NOTICE = "DRY RUN: nothing was trained, all accuracies are made up."


def in_units(value: int) -> str:
    """A count with a suffix, such as 6.13 M; powers of 1000."""
    # Widths multiply: counts may be too large for a float.
    size = decimal.Decimal(value)
    for suffix in ("", " k", " M", " G", " T", " P"):
        if size < decimal.Decimal("999.5"):
            return f"{float(size):.3g}{suffix}"
        size /= 1000
    return f"{decimal.Decimal(value).normalize():.3g}"


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun, as in 1 epoch, 2 epochs; `plural` where an s is not enough."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under a header; all but the last are aligned to the right."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            [cell.rjust(width) for cell, width in zip(line[:-1], widths[:-1], strict=True)]
            + [line[-1]]
        ).rstrip()
        for line in lines
    )


def wrapped_code(text: str, width: int | None) -> list[str]:
    """A code in lines that fit, broken between layers.

    Args:
        text: the code; more may follow after two blanks.
        width: of a line, in columns; None for one line.

    Returns:
        The lines.
    """
    if width is None:
        return [text]
    lines = [""]
    for piece in text.replace("),(", "),\n(").replace("  ", "\n  ").split("\n"):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return lines


def best_blocks(trials: Sequence[Trial]) -> str:
    """The table of the best blocks, in the order given."""
    return table(
        ["rank", "trial", "reward", "accuracy %", "parameters", "FLOPs", "seconds", "code"],
        [
            [
                str(rank),
                str(trial.number),
                number(trial.reward),
                number(trial.accuracy),
                in_units(trial.parameters),
                in_units(trial.flops),
                number(trial.seconds, 1),
                write(trial.code),
            ]
            for rank, trial in enumerate(trials, start=1)
        ],
    )
