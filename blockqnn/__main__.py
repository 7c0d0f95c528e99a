"""The command line: `blockqnn VERB ...`, or `python -m blockqnn VERB ...`."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Sequence

from blockqnn.errors import FAILED, INTERRUPTED, WRONG_INPUT, UserError
from blockqnn.flags import verbs
from blockqnn.invocation import SCRIPT, command
from blockqnn.networks.layout import LayoutError
from blockqnn.networks.lowerings import LoweringError
from blockqnn.networks.spaces.contract import CodeError
from blockqnn.standard_streams import make_safe, speak_utf8

_END_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_received: list[int] = []
"""Signals that have asked the process to end."""
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
    except (UserError, CodeError, LayoutError, LoweringError) as error:
        print(f"blockqnn: {error}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


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


class _Ended(KeyboardInterrupt):
    """A signal that asks the process to end, which every verb takes like Ctrl-C."""


def _ask_to_end(number: int, frame: object) -> None:
    # A second one shall not disturb what the first one set going.
    for each in _END_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    _received.append(number)
    raise _Ended


def _listen() -> None:
    """Ends in order where a shell, a scheduler or a service manager asks for it."""
    for number in _END_SIGNALS:
        # Under nohup the end of the terminal is none of the process.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _ask_to_end)


def run() -> None:
    """Runs the process's own command line, and ends the process."""
    speak_utf8()
    output = make_safe()
    _listen()
    words = sys.argv[1:]
    try:
        # The first look at a verb imports it, which takes long enough for a signal.
        output.lasting = not (words and words[0] in verbs.NAMES and verbs.find(words[0]).lists)
        status = main(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except OSError as error:
        if error is not output.failure:
            raise
        # The reader of a pipe, such as `head`, has seen enough; a full disk has not taken it all.
        status = 0
        if not isinstance(error, BrokenPipeError):
            print(f"blockqnn: The output cannot be written: {error.strerror}.", file=sys.stderr)
            status = FAILED
    sys.exit(128 + _received[0] if _received else status)


if __name__ == "__main__":
    run()
