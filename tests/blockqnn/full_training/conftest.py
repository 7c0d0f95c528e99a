"""A training that tests compare others with."""

import pytest

from tests.blockqnn.small_trainings import (
    settings,
    trained,
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A training of four epochs that was never disturbed, and what it printed."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    status, out = trained(settings(directory, epochs=4))
    assert status == 0
    return directory, out
