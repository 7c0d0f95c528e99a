"""Parameters of tests of which some take long."""

import pytest


def marked(names, long):
    """The names, those in `long` marked for `make test-long`."""
    return [pytest.param(n, marks=pytest.mark.long) if n in long else n for n in names]
