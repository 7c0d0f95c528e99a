"""The verb `show` on two blocks: side by side, with what differs."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys

import pytest

from blockqnn.listing import DRY_NOTICE
from blockqnn.networks.spaces.nsc.codes import write
from blockqnn.networks.spaces.nsc.published import PUBLISHED
from tests.paths import ROOT

A, B = "[(1,1,3,0,0),(2,1,3,1,0)]", "[(1,1,3,0,0),(2,1,5,1,0),(3,5,0,0,2)]"
RED, GREEN = "\x1b[31m", "\x1b[32m"


@pytest.fixture
def run(blockqnn):
    """The directory of a finished run."""
    blockqnn.search(
        *("--preset=digits", "--run_dir=run", "--epsilon_schedule=1.0:2", "--filters=4,8"),
        *("--blocks_per_iteration=8", "--max_layers=4"),
    )
    return "run"


def compared(blockqnn, *arguments):
    status, out, err = blockqnn("show", *arguments)
    assert (status, err) == (0, "")
    return out


def facts(blockqnn, *arguments):
    return json.loads(compared(blockqnn, *arguments, "--format=json"))


def test_layers_stand_side_by_side_with_signs(blockqnn):
    lines = compared(blockqnn, A, B).splitlines()
    layers = [line.rstrip() for line in lines[lines.index("  A" + " " * 27 + "  B") + 1 :]]
    assert layers == [
        "   1  conv3x3(input)             1  conv3x3(input)",
        "-  2  conv3x3(1)  -> output   +  2  conv5x5(1)",
        "                              +  3  add(input, 2)  -> output",
    ]
    assert lines[0] == f"- A  code: {A[:-1]},(3,7,0,0,0)]"
    assert lines[1] == f"+ B  code: {B[:-1]},(4,7,0,0,0)]"


def test_figures_have_their_differences(blockqnn):
    layout = ["--filters=4", "--repeats=1", "--image_size=6", "--channels=2", "--classes=3"]
    found = facts(blockqnn, A, B, *layout)
    one, other = found["first"], found["second"]
    # Input, two layers, output; input, three layers, output, where Add reads two.
    assert (one["nodes"], one["edges"], other["nodes"], other["edges"]) == (4, 3, 5, 5)
    assert found["difference"]["edges"] == 2
    # Kernels of 25 instead of 9 taps from 4 channels to 4.
    assert found["difference"]["parameters"] == (25 - 9) * 4 * 4
    assert found["difference"]["block_flops"] == 2 * 36 * (25 - 9) * 4 * 4
    assert found["difference"]["accuracy"] is None
    text = compared(blockqnn, A, B, *layout)
    assert re.search(r"^edges +- +3 +\+ +5 +\+2$", text, re.MULTILINE)
    assert re.search(r"^density +- +0\.750 +\+ +1\.000 +\+0\.250$", text, re.MULTILINE)
    assert re.search(r"^leaves +1 +1$", text, re.MULTILINE), "equal figures have no sign"
    # 256 more than 72 + 2 (144 + 8) + 15 = 391: 65 %.
    assert re.search(r"^parameters +- +391 +\+ +647 +\+256  \(\+65 %\)$", text, re.MULTILINE)
    assert "accuracy" not in text, "neither is a trial"
    back = compared(blockqnn, B, A, *layout)
    assert re.search(r"^parameters +- +647 +\+ +391 +-256  \(-39 %\)$", back, re.MULTILINE)


def test_the_rows_are_in_the_json(blockqnn):
    assert facts(blockqnn, A, B)["rows"] == [
        {"first": [1, 1, 3, 0, 0], "second": [1, 1, 3, 0, 0], "equal": True},
        {"first": [2, 1, 3, 1, 0], "second": [2, 1, 5, 1, 0], "equal": False},
        {"first": None, "second": [3, 5, 0, 0, 2], "equal": False},
    ]


def test_one_block_written_in_two_ways_is_said_to_be_one(blockqnn):
    other = "[(1,4,0,0,0),(2,1,3,1,0),(3,2,1,2,0),(4,1,3,3,0)]"
    assert "A and B are the same block, written in two ways" in compared(blockqnn, A, other)
    assert facts(blockqnn, A, other)["same_block"] is True
    text = compared(blockqnn, "residual", write(PUBLISHED["residual"]))
    assert "A and B are the same block (" in text
    assert not re.search(r"^[-+] [^AB]", text, re.MULTILINE), "nothing differs"
    assert facts(blockqnn, A, B)["same_block"] is False


def test_trials_have_accuracy_and_reward_and_the_layout_of_their_run(blockqnn, run):
    trained = [t for t in blockqnn.trials(run) if t["status"] == "trained"]
    first, second = trained[0], trained[1]
    found = facts(blockqnn, f"{run}#{first['number']}", f"{run}#{second['number']}")
    assert found["difference"]["reward"] == second["reward"] - first["reward"]
    assert found["difference"]["accuracy"] == second["accuracy"] - first["accuracy"]
    assert (found["first"]["trial"], found["first"]["parameters"]) == (
        *(first["number"], first["parameters"]),
    )
    text = compared(blockqnn, f"{run}#{first['number']}", "residual", "--filters=64")
    assert text.startswith(DRY_NOTICE)
    assert "filters 4,8, 1 block a stage, images 8x8x1, 10 classes" in text
    assert re.search(rf"^reward +- +{first['reward']:.2f} +\+ +-$", text, re.MULTILINE)
    swapped = facts(blockqnn, "residual", f"{run}#{first['number']}")
    assert swapped["first"]["layout"] == swapped["second"]["layout"]
    assert swapped["second"]["flops"] == first["flops"]


def test_trials_of_runs_of_two_layouts_are_counted_each_in_its_own(blockqnn, run):
    blockqnn.search("--preset=smoke", "--run_dir=other", "--filters=16")
    text = compared(blockqnn, f"{run}#best", "other#best")
    assert "A in a child network: CIFAR layout, filters 4,8," in text
    assert "B in a child network: CIFAR layout, filters 16," in text


def test_a_run_is_no_block_to_compare(blockqnn, run):
    for words in ([run, "residual"], ["residual", run]):
        status, out, err = blockqnn("show", *words)
        assert (status, out) == (2, "")
        assert "run#NUMBER or run#best" in err


def test_a_child_that_is_too_large_is_refused(blockqnn):
    rows = ["(1,4,0,0,0)", *(f"({i},6,0,{i - 2},{i - 1})" for i in range(2, 17))]
    widening = f"[{','.join(rows)},(17,1,3,16,0),(18,6,0,16,17)]"
    status, out, err = blockqnn("show", widening, "residual", "--repeats=900")
    assert (status, out) == (2, "")
    assert "too large" in err
    assert "e+" in compared(blockqnn, "residual", widening, "--repeats=40")


def on_a_terminal(words, **variables):
    """What a command writes to a terminal of its own."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"} | variables
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "blockqnn", *words], cwd=ROOT, stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        # Linux ends the reading of a terminal that nobody writes to by an error.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                text += piece
    os.close(ours)
    assert process.returncode == 0
    return text.decode().replace("\r\n", "\n")


def test_what_differs_is_red_and_green_on_a_terminal_alone(blockqnn):
    plain = compared(blockqnn, A, B)
    assert "\x1b" not in plain
    coloured = on_a_terminal(["show", A, B])
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert f"{RED}-  2  conv3x3(1)  -> output" in coloured
    assert f"{GREEN}+  3  add(input, 2)  -> output" in coloured
    assert not re.search(r"\x1b\[3[12]m +1  conv3x3", coloured), "what is equal has no colour"
    assert on_a_terminal(["show", A, B], NO_COLOR="1") == plain
    assert on_a_terminal(["show", A, B], TERM="dumb") == plain
