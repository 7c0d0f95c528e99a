"""The verb `show`: blocks in words and figures, and the best of a run."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.cost import cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import write
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.drawn import in_text
from tests.strategies import blocks

FIELDS = {
    "code",
    "canonical",
    "hash",
    "nodes",
    "edges",
    "density",
    "leaves",
    "depth",
    "parameters",
    "flops",
    "block_flops",
}
LONG = "[" + ",".join(f"({i},1,3,{i - 1},0)" for i in range(1, 24)) + "]"


@pytest.fixture
def run(blockqnn):
    """The directory of a finished run."""
    blockqnn.search(
        "--preset=smoke",
        "--run_dir=run",
        "--epsilon_schedule=1.0:3",
        "--blocks_per_iteration=6",
        "--exploration=by_type",
        "--filters=4,8",
        "--repeats=2",
        "--max_layers=2",
        "--mu=4",
    )
    return "run"


def shown(blockqnn, *arguments):
    status, out, err = blockqnn("show", *arguments)
    assert (status, err) == (0, "")
    return out


def facts(blockqnn, *arguments):
    out = shown(blockqnn, *arguments, "--format=json")
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.mark.parametrize(
    ("name", "repeats", "classes", "depth", "parameters"),
    [
        ("block-qnn-s", 2, 10, 19, 6_125_802),
        ("block-qnn-s", 2, 100, 19, 6_195_012),
        ("block-qnn-a", 4, 10, 25, None),
        ("block-qnn-b", 4, 10, 37, None),
    ],
)
def test_the_published_figures(blockqnn, name, repeats, classes, depth, parameters):
    layout = [f"--repeats={repeats}", f"--classes={classes}", "--filters=32,64,128"]
    found = facts(blockqnn, name, *layout)
    assert found["depth"] == depth
    assert parameters in (None, found["parameters"])
    text = shown(blockqnn, name, *layout)
    assert f"depth        {depth} convolutions" in text
    assert f"{found['parameters']:,}" in text


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_block_by_name_is_its_code(blockqnn, name):
    found = facts(blockqnn, name)
    assert set(found) >= FIELDS
    assert found["code"] == write(PUBLISHED[name])
    assert facts(blockqnn, found["code"]) == found
    as_lists = json.dumps([list(layer) for layer in PUBLISHED[name][:-1]])
    assert facts(blockqnn, as_lists) == found


def test_the_residual_block_by_hand(blockqnn):
    found = facts(
        blockqnn,
        "residual",
        "--filters=4",
        "--repeats=1",
        "--image_size=6",
        "--channels=2",
        "--classes=3",
    )
    # Identity dissolves: input -> conv 3x3 -> conv 3x3 -> add with the input -> output.
    assert found["canonical"] == {
        "layers": [
            {"type": 1, "kernel": 3, "inputs": [0]},
            {"type": 1, "kernel": 3, "inputs": [1]},
            {"type": 5, "kernel": 0, "inputs": [0, 2]},
        ],
        "edges": [[0, 1], [1, 2], [0, 3], [2, 3]],
        "outputs": [3],
    }
    assert (found["nodes"], found["edges"], found["density"], found["leaves"]) == (5, 5, 1.0, 1)
    # Stem 9 * 2 * 4, two convolutions 9 * 4 * 4 with scale and shift, linear 4 * 3 + 3.
    assert found["parameters"] == 72 + 2 * (144 + 8) + 15
    assert found["block_flops"] == 2 * 36 * 2 * 144
    assert found["flops"] == found["block_flops"] + 2 * (36 * 72 + 12)
    assert found["depth"] == 3


def test_the_layers_in_words(blockqnn):
    lines = [line.strip() for line in shown(blockqnn, "inception").splitlines()]
    assert "5  Convolution 5x5 of layer 4" in lines
    assert "6  Concat of layer 3 and layer 5" in lines
    assert "7  Max pooling 3x3 of layer 1" in lines
    assert "9  Concat of layer 6 and layer 8  -> output" in lines
    assert sum("-> output" in line for line in lines) == 1


def test_the_block_is_drawn_with_its_widths(blockqnn):
    text = shown(blockqnn, "inception", "--filters=7,8")
    assert text.endswith(
        f"\n\n{in_text(PUBLISHED['inception'], layout=Layout(filters=(7, 8), repeats=2))}\n"
    )


def test_every_flag_of_the_layout_reaches_the_network(blockqnn):
    flags = ["--layout=imagenet", "--filters=3,5", "--repeats=3", "--image_size=16"]
    flags += ["--channels=2", "--classes=7"]
    found = facts(blockqnn, "inception", *flags)
    layout = Layout("imagenet", (3, 5), 3, 16, 16, 2, 7)
    wanted = cost(canonical_form(PUBLISHED["inception"]), layout)
    assert found["parameters"] == wanted.parameters
    assert (found["flops"], found["block_flops"]) == (wanted.flops, wanted.block_flops)
    assert "ImageNet layout, filters 3,5, 3 blocks a stage, images 16x16x2, 7 classes" in shown(
        blockqnn, "inception", *flags
    )


def test_the_default_layout_is_that_of_block_qnn_s_on_cifar10(blockqnn):
    flags = ["--layout=cifar", "--filters=32,64,128", "--repeats=2", "--image_size=32"]
    flags += ["--channels=3", "--classes=10"]
    assert facts(blockqnn, "block-qnn-s") == facts(blockqnn, "block-qnn-s", *flags)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks(max_layers=10))
def test_any_code_can_be_shown(blockqnn, code):
    found = facts(blockqnn, write(code), "--filters=2", "--repeats=1")
    block = canonical_form(code)
    assert found["code"] == write(code)
    assert found["hash"] == block.hash
    assert found["density"] == found["edges"] / found["nodes"]
    assert len(found["canonical"]["edges"]) + found["leaves"] == found["edges"]
    assert found["leaves"] == len(found["canonical"]["outputs"])
    assert write(code) in shown(blockqnn, write(code))


def test_a_code_of_as_many_layers_as_are_allowed_can_be_shown(blockqnn):
    assert len(LONG) > 255, "longer than the name of any file"
    assert facts(blockqnn, LONG)["nodes"] == 25
    found = facts(blockqnn, LONG.replace("(23,1,3,22,0)", "(23,1,3,22,0),(24,1,5,23,0)"), *[
        "--max_layers=24"
    ])  # fmt: skip
    assert found["nodes"] == 26


def test_a_block_that_grows_without_bound_can_be_shown(blockqnn):
    rows = ["(1,4,0,0,0)", *(f"({i},6,0,{i - 2},{i - 1})" for i in range(2, 17))]
    widening = f"[{','.join(rows)},(17,1,3,16,0),(18,6,0,16,17)]"
    for form in ("text", "json"):
        # Numbers of thousands of digits, which Python refuses to print: shown or refused.
        status, _, err = blockqnn("show", widening, "--repeats=900", f"--format={form}")
        assert (status, err.count("\n")) in ((0, 0), (2, 1))
    found = facts(blockqnn, widening, "--repeats=40")
    assert found["parameters"] > 2**1024
    assert "parameters" in shown(blockqnn, widening, "--repeats=40")


def test_a_trial_is_shown_with_its_results_and_the_layout_of_its_run(blockqnn, run):
    for trial in blockqnn.trials(run):
        text = shown(blockqnn, f"{run}#{trial['number']}", "--filters=64")
        assert trial["code"] in text
        assert f"trial {trial['number']}, iteration {trial['iteration']}: {trial['status']}" in text
        # What was not trained has no reward, but the agent was told one.
        assert f"{10.0 if trial['reward'] is None else trial['reward']:.2f}" in text
        assert "filters 4,8, 2 blocks a stage, images 8x8x1, 10 classes" in text
        found = facts(blockqnn, f"{run}#{trial['number']}", "--filters=64")
        assert found["parameters"] == trial["parameters"]
        assert (found["flops"], found["hash"]) == (trial["flops"], trial["hash"])


def test_a_known_trial_names_its_source_and_an_infeasible_one_its_reason(blockqnn, run):
    trials = blockqnn.trials(run)
    known = next(trial for trial in trials if trial["status"] == "known")
    assert f"known, as trial {known['source']}\n" in shown(blockqnn, f"{run}#{known['number']}")
    infeasible = next(trial for trial in trials if trial["status"] == "infeasible")
    text = shown(blockqnn, f"{run}#{infeasible['number']}")
    assert f"infeasible ({infeasible['reason']})" in text


def test_the_best_is_the_trained_block_of_highest_reward(blockqnn, run):
    trained = [trial for trial in blockqnn.trials(run) if trial["status"] == "trained"]
    best = max(trained, key=lambda trial: trial["reward"])
    assert max(t["accuracy"] for t in trained) > best["accuracy"], "not the most accurate here"
    assert shown(blockqnn, f"{run}#best") == shown(blockqnn, f"{run}#{best['number']}")


def test_a_run_is_shown_as_its_best_blocks(blockqnn, run):
    trained = [trial for trial in blockqnn.trials(run) if trial["status"] == "trained"]
    ranked = sorted(trained, key=lambda trial: -trial["reward"])
    for arguments, count in (([], min(10, len(ranked))), (["--top=3"], 3), (["--top=999"], None)):
        wanted = ranked[:count]
        found = facts(blockqnn, run, *arguments)
        assert [block["number"] for block in found["best"]] == [t["number"] for t in wanted]
        assert [block["reward"] for block in found["best"]] == [t["reward"] for t in wanted]
        assert all(set(block) >= FIELDS for block in found["best"])
        rows = shown(blockqnn, run, *arguments).splitlines()[-len(wanted) :]
        assert [int(row.split()[1]) for row in rows] == [t["number"] for t in wanted]
        assert [row.split()[-1] for row in rows] == [t["code"] for t in wanted]


def test_a_dry_run_is_marked(blockqnn, run):
    for reference in (run, f"{run}#best", f"{run}#1"):
        assert DRY_NOTICE in shown(blockqnn, reference)
    assert facts(blockqnn, run)["dry"] is True
    assert facts(blockqnn, f"{run}#best")["trial"]["dry"] is True
    assert DRY_NOTICE not in shown(blockqnn, "inception")


def test_a_run_without_a_trained_block_says_so(blockqnn):
    flags = ["--preset=smoke", "--run_dir=run", "--max_parameters=1"]
    assert blockqnn("search", "--evaluator=dry", "--executor=inline", *flags)[0] == 1
    status, out, _ = blockqnn("show", "run")
    assert (status, "No block was trained. Why, and how often:" in out) == (1, True)
    status, out, _ = blockqnn("show", "run", "--format=json")
    assert (status, json.loads(out)["best"]) == (1, [])


def test_a_published_name_is_no_directory(blockqnn):
    (blockqnn.directory / "inception").mkdir()
    assert "Convolution" in shown(blockqnn, "inception")
