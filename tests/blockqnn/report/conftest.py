"""A report that tests look at in a browser."""

import pytest

from blockqnn.__main__ import main


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    """Holds a small dry run, `run`, and its report."""
    here = tmp_path_factory.mktemp("report")
    arguments = [
        "--preset=digits",
        "--agent=q_learning",
        "--evaluator=dry",
        "--executor=inline",
        "--max_layers=8",
    ]
    schedule = "--epsilon_schedule=1.0:4,0.5:4"
    assert main(["search", *arguments, schedule, f"--run_dir={here / 'run'}"]) == 0
    assert main(["report", str(here / "run"), f"--out={here / 'report.html'}"]) == 0
    return here


@pytest.fixture
def trials(blockqnn, browser, directory):
    """The report is open in the browser; the run's trials by number."""
    browser.open_file(directory / "report.html")
    return {trial["number"]: trial for trial in blockqnn.trials(directory / "run")}
