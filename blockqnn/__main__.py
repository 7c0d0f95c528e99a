"""The command line: `blockqnn VERB ...`, or `python -m blockqnn VERB ...`."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

from blockqnn.errors import INTERRUPTED, WRONG_INPUT, UserError
from blockqnn.flags import verbs
from blockqnn.invocation import SCRIPT, command
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.spaces.contract import CodeError

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
    if not words or words[0] not in verbs.NAMES:
        given = f"{words[0]!r} is no verb" if words else "A verb is missing"
        raise UserError(f"{given}; allowed: {', '.join(verbs.NAMES)}. See: {command('--help')}")
    verb = verbs.find(words[0])
    asked = [word for word in words[1:] if word in _HELP[:-1]]
    if asked:
        print(verb.help([word for word in words[1:] if word not in asked]), end="")
        return 0
    return verb.carry_out(words[1:])


def _help() -> str:
    lines = [
        "Designs convolutional blocks by reinforcement learning.",
        "",
        f"usage: {SCRIPT} VERB ...",
        "",
    ]
    described = [verbs.find(name).define() for name in verbs.NAMES]
    usages = [" ".join([flags.verb, flags.arguments]).strip() for flags in described]
    width = max(map(len, usages)) + 2
    for usage, flags in zip(usages, described, strict=True):
        # The rest of the summary is in the verb's own help.
        first, _, _ = flags.summary.partition(". ")
        text = f"  {usage:{width}}{first.rstrip('.')}."
        lines.append(textwrap.fill(text, 88, subsequent_indent=" " * (2 + width)))
    lines += ["", f"{SCRIPT} VERB --help lists a verb's flags."]
    return "\n".join(lines) + "\n"


def run() -> None:
    """Runs the process's own command line, and ends the process."""
    sys.exit(main())


if __name__ == "__main__":
    run()
