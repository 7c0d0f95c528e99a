"""Errors whose message is for the user: one sentence, exit status 2."""

FAILED = 1
"""Exit status where the input was right and nothing came of it."""

WRONG_INPUT = 2
"""Exit status after a `UserError`."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


class UserError(ValueError):
    """What the user gave cannot be used; says what was given, what is allowed, what to do."""
