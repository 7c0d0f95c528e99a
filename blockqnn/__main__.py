"""The command line: `python -m blockqnn VERB ...`."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Sequence

from blockqnn.bench.command import bench
from blockqnn.calibration.command import calibrate
from blockqnn.calibration.rescore_command import rescore
from blockqnn.contests.command import compare
from blockqnn.contests.real_command import RealCompareSettings, compare_real
from blockqnn.errors import UserError
from blockqnn.export.command import export
from blockqnn.flags import bench as bench_flags
from blockqnn.flags import calibration, inspection
from blockqnn.flags import compare as compare_flags
from blockqnn.flags import drawing as drawing_flags
from blockqnn.flags import evaluation as evaluation_flags
from blockqnn.flags import explain as explain_flags
from blockqnn.flags import export as export_flags
from blockqnn.flags import report as report_flags
from blockqnn.flags import search as search_flags
from blockqnn.flags import status as status_flags
from blockqnn.flags import tensorboard as tensorboard_flags
from blockqnn.flags import training as training_flags
from blockqnn.flags.parsing import FlagSet
from blockqnn.full_training.command import train
from blockqnn.full_training.evaluate import evaluate
from blockqnn.inspection.draw_command import draw
from blockqnn.inspection.explain_command import explain
from blockqnn.inspection.show_command import show
from blockqnn.inspection.status_command import status
from blockqnn.inspection.trials_command import list_trials
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.report.command import report, serve
from blockqnn.searching.command import INTERRUPTED, run_search
from blockqnn.tensorboard.command import write_tensorboard

WRONG_INPUT = 2


def _search(arguments: Sequence[str]) -> int:
    return run_search(*search_flags.parse(arguments), sys.stdout)


def _show(arguments: Sequence[str]) -> int:
    show(inspection.parse_show(arguments), sys.stdout)
    return 0


def _trials(arguments: Sequence[str]) -> int:
    list_trials(inspection.parse_trials(arguments), sys.stdout)
    return 0


def _tensorboard(arguments: Sequence[str]) -> int:
    write_tensorboard(tensorboard_flags.parse(arguments), sys.stdout)
    return 0


def _draw(arguments: Sequence[str]) -> int:
    draw(drawing_flags.parse(arguments), sys.stdout)
    return 0


def _explain(arguments: Sequence[str]) -> int:
    explain(explain_flags.parse(arguments), sys.stdout)
    return 0


def _bench(arguments: Sequence[str]) -> int:
    bench(bench_flags.parse(arguments), sys.stdout)
    return 0


def _compare(arguments: Sequence[str]) -> int:
    settings = compare_flags.parse(arguments)
    if isinstance(settings, RealCompareSettings):
        compare_real(settings, sys.stdout, sys.stderr)
    else:
        compare(settings, sys.stdout, sys.stderr)
    return 0


def _export(arguments: Sequence[str]) -> int:
    export(export_flags.parse(arguments), sys.stdout)
    return 0


def _calibrate(arguments: Sequence[str]) -> int:
    return calibrate(calibration.parse_calibrate(arguments), sys.stdout)


def _rescore(arguments: Sequence[str]) -> int:
    rescore(calibration.parse_rescore(arguments), sys.stdout)
    return 0


def _train(arguments: Sequence[str]) -> int:
    return train(training_flags.parse(arguments), sys.stdout)


def _evaluate(arguments: Sequence[str]) -> int:
    evaluate(evaluation_flags.parse(arguments), sys.stdout)
    return 0


def _report(arguments: Sequence[str]) -> int:
    report(report_flags.parse_report(arguments), sys.stdout)
    return 0


def _serve(arguments: Sequence[str]) -> int:
    serve(report_flags.parse_serve(arguments), sys.stdout)
    return 0


def _status(arguments: Sequence[str]) -> int:
    status(status_flags.parse(arguments), sys.stdout)
    return 0


_VERBS: dict[str, tuple[Callable[[], FlagSet], Callable[[Sequence[str]], int]]] = {
    "search": (search_flags.define, _search),
    "show": (inspection.define_show, _show),
    "draw": (drawing_flags.define, _draw),
    "explain": (explain_flags.define, _explain),
    "report": (report_flags.define_report, _report),
    "serve": (report_flags.define_serve, _serve),
    "trials": (inspection.define_trials, _trials),
    "status": (status_flags.define, _status),
    "tensorboard": (tensorboard_flags.define, _tensorboard),
    "calibrate": (calibration.define_calibrate, _calibrate),
    "rescore": (calibration.define_rescore, _rescore),
    "train": (training_flags.define, _train),
    "evaluate": (evaluation_flags.define, _evaluate),
    "export": (export_flags.define, _export),
    "compare": (compare_flags.define, _compare),
    "bench": (bench_flags.define, _bench),
}
_HELP = ("--help", "-h", "-help", "--helpfull", "help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb.

    Args:
        arguments: the command line without the program; None for the process's own.

    Returns:
        The exit status: 0, 2 for wrong input, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except (UserError, CodeError, LayoutError) as error:
        print(f"blockqnn: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(words: list[str]) -> int:
    if words and words[0] in _HELP:
        print(_help(), end="")
        return 0
    if not words or words[0] not in _VERBS:
        given = f"{words[0]!r} is no verb" if words else "A verb is missing"
        raise UserError(f"{given}; allowed: {', '.join(_VERBS)}. See: python -m blockqnn --help")
    define, carry_out = _VERBS[words[0]]
    if any(word in _HELP[:-1] for word in words[1:]):
        print(define().help(), end="")
        return 0
    return carry_out(words[1:])


def _help() -> str:
    lines = [
        "Designs convolutional blocks by reinforcement learning.",
        "",
        "usage: python -m blockqnn VERB ...",
        "",
    ]
    described = [define() for define, _ in _VERBS.values()]
    usages = [" ".join([flags.verb, flags.arguments]).strip() for flags in described]
    width = max(map(len, usages)) + 2
    for usage, flags in zip(usages, described, strict=True):
        # The rest of the summary is in the verb's own help.
        first, _, _ = flags.summary.partition(". ")
        text = f"  {usage:{width}}{first.rstrip('.')}."
        lines.append(textwrap.fill(text, 88, subsequent_indent=" " * (2 + width)))
    lines += ["", "python -m blockqnn VERB --help lists a verb's flags."]
    return "\n".join(lines) + "\n"


def run() -> None:
    """Runs the process's own command line, and ends the process."""
    sys.exit(main())


if __name__ == "__main__":
    run()
