"""The verb `rescore`: other coefficients, the same trials."""

import json
import math

import pytest

from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.trial import Status, Trial

LAYOUT = {"filters": [4], "repeats": 1, "height": 8, "width": 8, "channels": 1}
CODES = [check([(1, 1, kernel, 0, 0)]) for kernel in (1, 3, 5)]


def trial(number, code, accuracy, flops, density, reward, status=Status.COMPLETED):
    return Trial(
        number, 1, 1.0, code, f"hash{number}", 0, status, density, 100, 1000, flops, 1,
        accuracies=(1.0, accuracy) if accuracy else (), reward=reward,
    )  # fmt: skip


TRIALS = [
    # Rewards of mu = 1, rho = 8; with e million FLOPs and density 1 a logarithm is 1 or 0.
    trial(1, CODES[0], 90.0, round(1e6), 1.0, 90.0),
    trial(2, CODES[1], 89.5, round(1e6 * math.e), 1.0, 88.5),
    trial(3, CODES[2], 88.0, round(1e6 * math.e**2), math.e, 78.0),
    trial(4, CODES[1], 89.5, round(1e6 * math.e), 1.0, 88.5, Status.KNOWN),
    trial(5, CODES[0], None, 10**30, 1.0, 10.0, Status.INFEASIBLE),
]


@pytest.fixture
def run(tmp_path):
    """A run of three trained blocks."""
    store = Store.create_or_open(tmp_path / FILE_NAME)
    store.set_facts({"layout": LAYOUT, "dry": False, "flags": {"mu": "1", "rho": "8"}})
    for one in TRIALS:
        store.add_trial(one)
    store.close()
    return tmp_path


def as_json(blockqnn, run, *flags):
    status, out, err = blockqnn("rescore", run, "--format=json", *flags)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_blocks_are_ranked_by_the_new_reward_and_keep_their_old_rank(blockqnn, run):
    facts = as_json(blockqnn, run, "--mu=-1", "--rho=0")
    assert (facts["mu"], facts["rho"], facts["old_mu"], facts["old_rho"]) == (-1, 0, 1, 8)
    assert facts["trained"] == 3
    rows = [
        (row["number"], row["rank"], row["old_rank"], round(row["reward"], 4), row["old_reward"])
        for row in facts["best"]
    ]
    # 90 + 0, 89.5 + 1, 88 + 2; equal rewards in order of trials.
    assert rows == [(2, 1, 2, 90.5, 88.5), (1, 2, 1, 90.0, 90.0), (3, 3, 3, 90.0, 78.0)]


def test_density_counts_by_rho_and_what_is_not_given_is_the_runs_own(blockqnn, run):
    facts = as_json(blockqnn, run, "--rho=-20")
    assert (facts["mu"], facts["rho"]) == (1, -20)
    # 88 - 2 + 20.
    assert facts["best"][0]["number"] == 3
    assert facts["best"][0]["reward"] == pytest.approx(106.0, abs=1e-4)
    same = as_json(blockqnn, run)
    assert [row["rank"] for row in same["best"]] == [row["old_rank"] for row in same["best"]]
    assert [row["reward"] for row in same["best"]] == pytest.approx([90, 88.5, 78], abs=1e-4)


def test_the_table_has_both_ranks(blockqnn, run):
    status, out, err = blockqnn("rescore", run, "--mu=-1", "--rho=0", "--top=1")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == (
        "3 trained blocks under mu = -1, rho = 0; the run has mu = 1, rho = 8. 2 have another rank."
    )
    assert lines[2].split()[:3] == ["rank", "old", "rank"]
    assert lines[3].split()[:5] == ["1", "2", "2", "90.50", "88.50"]
    assert len(lines) == 4
    assert len(blockqnn("rescore", run, "--top=0")[1].splitlines()) == 6


def test_a_dry_run_says_so_and_nothing_is_written(blockqnn):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    before = {path: path.read_bytes() for path in blockqnn.files() if path.is_file()}
    status, out, _ = blockqnn("rescore", "run", "--mu=2")
    assert status == 0
    assert out.startswith(DRY_NOTICE)
    assert as_json(blockqnn, "run")["dry"] is True
    after = {path: path.read_bytes() for path in blockqnn.files() if path.is_file()}
    names = {path.name for path in after.keys() - before.keys()}
    assert names <= {"store.sqlite-shm", "store.sqlite-wal"}
    assert all(after[path] == before[path] for path in before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none"], "There is no run in none"),
        ([], "rescore takes one RUN_DIR"),
        (["a", "b"], "rescore takes one RUN_DIR"),
        (["a", "--mu=x"], "a number from -1e+06 to 1e+06, or run"),
        (["a", "--mu=nan"], "a number from"),
        (["a", "--rho=1e7"], "a number from"),
    ],
)
def test_wrong_input(blockqnn, words, said):
    status, out, err = blockqnn("rescore", *words)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_run_without_trained_blocks(blockqnn, tmp_path):
    store = Store.create_or_open(tmp_path / FILE_NAME)
    store.set_facts({"layout": LAYOUT, "flags": {"mu": "much"}})
    store.close()
    assert "--mu or --rho that is no number" in blockqnn("rescore", tmp_path)[2]
    store = Store.create_or_open(tmp_path / FILE_NAME)
    store.set_facts({"flags": {}})
    store.close()
    status, out, _ = blockqnn("rescore", tmp_path)
    assert (status, out) == (1, "No block was trained: nothing has been suggested yet.\n")
