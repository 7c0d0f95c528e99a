"""The example notebook: it runs from a clean copy, and what is kept of it is what it shows."""

import re

import nbclient
import nbformat
import pytest

from tests.paths import ROOT

NOTEBOOK = ROOT / "examples" / "see_a_run.ipynb"
MACHINE_PATH = re.compile(
    r"/(?:home|root|tmp|usr|opt|var|work|Users|mnt)/|site-packages|[A-Z]:\\\\"
)


@pytest.fixture
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell):
    """The kinds of what a cell shows."""
    return [(output.output_type, sorted(output.get("data", ()))) for output in cell.outputs]


def words(cell):
    """What a cell shows as text, but for data frames."""
    data = [output.get("data", {}) for output in cell.outputs]
    return [d.get("text/plain") for d in data if "dataframe" not in d.get("text/html", "")]


def test_the_notebook_is_kept_as_it_was_executed(committed):
    nbformat.validate(committed)
    cells = code_cells(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(kind == "error" for cell in cells for kind, _ in shown(cell))
    kinds = {kind for cell in cells for _, kinds in shown(cell) for kind in kinds}
    assert {"text/html", "image/svg+xml", "image/png", "text/plain"} <= kinds
    for cell in cells:
        for output in cell.outputs:
            # The letters of an encoded picture mean nothing.
            data = {k: v for k, v in output.get("data", {}).items() if k != "image/png"}
            for text in (output.get("text", ""), *data.values()):
                assert not MACHINE_PATH.search(text)


def test_the_notebook_runs_from_a_clean_copy(committed, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    place = tmp_path / "copy"
    place.mkdir()
    again = nbformat.from_dict(committed)
    for cell in code_cells(again):
        cell.outputs, cell.execution_count = [], None
    before = NOTEBOOK.read_bytes()
    client = nbclient.NotebookClient(
        again, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    )
    client.execute()
    assert NOTEBOOK.read_bytes() == before
    assert [path.name for path in place.iterdir()] == ["runs"]
    kept = code_cells(nbformat.read(NOTEBOOK, as_version=4))
    for old, new in zip(kept, code_cells(again), strict=True):
        assert shown(new) == shown(old)
        # Made-up accuracies are the same everywhere; how frames look is pandas' affair.
        assert words(new) == words(old)
