"""Figures as text: numbers with units, and tables for the terminal."""

from __future__ import annotations

import decimal
from collections.abc import Sequence

from blockqnn.measure import ACCURACY, measure_of
from blockqnn.networks.spaces.registry import write
from blockqnn.terminal import Style, Terminal
from blockqnn.trial import Trial

_INDENT = 6
"""Columns before a code that goes below its row."""

DRY_NOTICE = "DRY RUN: nothing was trained, all accuracies are made up."


def proxy_notice(proxy: str) -> str:
    """What is to be said of a run whose rewards are scores.

    Args:
        proxy: names the score.

    Returns:
        A line.
    """
    return (
        f"PROXY RUN: nothing was trained, and there are no accuracies; each reward is the "
        f"{proxy.replace('_', ' ')} of an untrained child."
    )


MIXTURE_NOTICE = (
    "MIXTURE: each accuracy is that of a derived cell with the weights of the mixture of all "
    "operations, not that of a network of its own."
)
SHARED_NOTICE = (
    "SHARED WEIGHTS: each accuracy is a score by weights that all designs share, not that of a "
    "network of its own."
)


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
    """Seconds as h:mm:ss or m:ss; 0:00 where clocks that differ make them negative."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """A duration as one says it: 40 s, 5 min, 3 h or 4 days."""
    for size, unit, most in ((1, "s", 90), (60, "min", 90), (3600, "h", 48)):
        if seconds < most * size:
            return f"{max(1, round(seconds / size))} {unit}"
    return counted(round(seconds / 86400), "day")


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def with_accuracy(trial: Trial) -> str:
    """What a trial was judged by, to be put behind its reward; nothing where there is nothing."""
    measure = measure_of(trial.code)
    if trial.accuracy is None:
        return ""
    return f", {measure.name} {measure.in_words(trial.accuracy)}"


def judged(trial: Trial) -> str:
    """The number that judges a trial, to stand under `judged_by`."""
    return measure_of(trial.code).figure(trial.accuracy)


def judged_by(trials: Sequence[Trial]) -> str:
    """The header of the numbers that judge trials of one run."""
    return (measure_of(trials[0].code) if trials else ACCURACY).column


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


def table_with_codes(
    header: Sequence[str], rows: Sequence[Sequence[str]], codes: Sequence[str], terminal: Terminal
) -> str:
    """Columns under a header, the last of which are codes.

    Args:
        header: of all columns but that of the codes.
        rows: likewise.
        codes: a code for each row; more may follow after two blanks.
        terminal: where codes do not fit beside the columns, each goes below its own row.

    Returns:
        The table.
    """
    figures = table([*header, ""], [[*row, ""] for row in rows]).splitlines()
    width = terminal.width
    if width is None or all(
        len(line) + 2 + len(code) <= width for line, code in zip(figures[1:], codes, strict=True)
    ):
        ends = ["  code", *(f"  {code}" for code in codes)]
    else:
        ends = [
            "",
            *(
                "".join(
                    f"\n{' ' * _INDENT}{terminal.styled(line, Style.DIM)}"
                    for line in wrapped_code(code, width - _INDENT)
                )
                for code in codes
            ),
        ]
    lines = [line + end for line, end in zip(figures, ends, strict=True)]
    lines[0] = terminal.styled(lines[0], Style.BOLD)
    return "\n".join(lines)


def has_own_filters(trials: Sequence[Trial]) -> bool:
    """Whether a table of trials needs a column of filters, which differ from trial to trial."""
    return any(trial.filters for trial in trials)


def best_blocks(trials: Sequence[Trial], terminal: Terminal) -> str:
    """The table of the best blocks, in the order given, on a terminal."""
    own = has_own_filters(trials)
    header = ["rank", "trial", "reward", judged_by(trials), "parameters", "FLOPs"]
    return table_with_codes(
        [*header, *(["filters"] if own else []), "seconds"],
        [
            [
                str(rank),
                str(trial.number),
                number(trial.reward),
                judged(trial),
                in_units(trial.parameters),
                in_units(trial.flops),
                *([trial.filters_text or "-"] if own else []),
                number(trial.seconds, 1),
            ]
            for rank, trial in enumerate(trials, start=1)
        ],
        [write(trial.code) for trial in trials],
        terminal,
    )
