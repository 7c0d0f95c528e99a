"""Errors whose message is for the user: one sentence, exit status 2."""


class UserError(ValueError):
    """What the user gave cannot be used; says what was given, what is allowed, what to do."""
