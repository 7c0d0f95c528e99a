"""The command line: `python -m blockqnn VERB ...`."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Sequence

from blockqnn.bench_command import bench
from blockqnn.errors import UserError
from blockqnn.search_command import INTERRUPTED, run_search
from blockqnn.show_command import show
from blockqnn.status_command import status
from blockqnn.trials_command import list_trials
from flags import bench as bench_flags
from flags import inspection
from flags import search as search_flags
from flags import status as status_flags
from flags.parsing import FlagSet
from networks.codes import CodeError
from networks.layout import LayoutError

WRONG_INPUT = 2


def _search(arguments: Sequence[str]) -> int:
    return run_search(*search_flags.parse(arguments), sys.stdout)


def _show(arguments: Sequence[str]) -> int:
    show(inspection.parse_show(arguments), sys.stdout)
    return 0


def _trials(arguments: Sequence[str]) -> int:
    list_trials(inspection.parse_trials(arguments), sys.stdout)
    return 0


def _bench(arguments: Sequence[str]) -> int:
    bench(bench_flags.parse(arguments), sys.stdout)
    return 0


def _status(arguments: Sequence[str]) -> int:
    status(status_flags.parse(arguments), sys.stdout)
    return 0


_VERBS: dict[str, tuple[Callable[[], FlagSet], Callable[[Sequence[str]], int]]] = {
    "search": (search_flags.define, _search),
    "show": (inspection.define_show, _show),
    "trials": (inspection.define_trials, _trials),
    "status": (status_flags.define, _status),
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
    for verb, (define, _) in _VERBS.items():
        flags = define()
        usage = " ".join([verb, flags.arguments]).strip()
        lines.append(textwrap.fill(f"  {usage:16}{flags.summary}", 88, subsequent_indent=" " * 18))
    lines += ["", "python -m blockqnn VERB --help lists a verb's flags."]
    return "\n".join(lines) + "\n"


def run() -> None:
    """Runs the process's own command line, and ends the process."""
    sys.exit(main())


if __name__ == "__main__":
    run()
