"""What the report says of what the agent has learned, whichever agent it is."""

import json
import pathlib

import pytest

from blockqnn.agents.registry import AGENTS
from blockqnn.inspection.explanation import greedy_code, read_knowledge
from blockqnn.networks.spaces.registry import write
from blockqnn.report.data import summary
from blockqnn.report.learned import learned
from blockqnn.runs.run_record import read_run
from tests.blockqnn.trials_by_hand import run_record, trial, write_store


@pytest.mark.parametrize("agent", AGENTS)
def test_the_report_has_what_the_agent_says(blockqnn, agent):
    blockqnn.search("--preset=smoke", "--run_dir=run", f"--agent={agent}", "--max_layers=4")
    run = read_run(blockqnn.directory / "run")
    found = summary(run, 3)["learned"]
    json.dumps(found, allow_nan=False)
    status, out, _ = blockqnn("explain", "run", "--format=json", "--top=999")
    assert status == 0
    facts = json.loads(out)
    assert {name: found[name] for name in ("agent", "value", "visits", "meaning")} == {
        name: facts["agent"][name] for name in ("agent", "value", "visits", "meaning")
    }
    greedy = write(greedy_code(read_knowledge(run.path)).code)
    assert facts["greedy"]["code"] == greedy
    assert found["code"] == ("" if agent == "random" else greedy)
    assert 0 < len(found["next"]) <= 10
    shown = [next_["title"] for next_ in facts["next"]]
    titles = [next_["title"] for next_ in found["next"] if next_["visits"] or next_["trials"]]
    assert titles == shown[: len(titles)]
    means = {(v["position"], v["kind"]): v["mean"] for v in facts["kind_values"]}
    for row in found["positions"]:
        assert len(row["mean"]) == len(found["kinds"])
        for kind, mean in zip(found["kinds"], row["mean"], strict=True):
            expected = means.get((row["position"], kind))
            assert mean == (None if expected is None else pytest.approx(expected, rel=1e-5))


def test_a_run_whose_agent_cannot_say_has_no_such_part(tmp_path):
    assert learned(run_record(pathlib.Path("some/run"), [])) is None
    path = write_store(tmp_path / "run", [trial(1, accuracy=50.0)])
    assert learned(read_run(path)) is None, "its first iteration has not ended"


def test_an_agent_that_learns_nothing_writes_no_design_of_its_choice(blockqnn):
    """One of the most probable of random search is the first of all, which nobody has chosen."""
    for agent in ("random", "evolution"):
        status, _, err = blockqnn(
            *("search", "--preset=smoke", "--evaluator=dry", "--executor=inline"),
            *(f"--agent={agent}", f"--run_dir={agent}"),
        )
        assert status == 0, err
    found = {a: learned(read_run(blockqnn.directory / a)) for a in ("random", "evolution")}
    assert (found["random"]["code"], found["random"]["became"]) == (
        "",
        "It learns nothing: whatever it writes next is drawn anew.",
    )
    assert found["evolution"]["code"] and "learns nothing" not in found["evolution"]["became"]
