"""Whatever is wrong in a command: one sentence, exit status 2, and nothing is created."""

import pytest

from blockqnn.flags import verbs
from blockqnn.networks.spaces.nsc.published import PUBLISHED

DRY = ("search", "--evaluator=dry", "--executor=inline", "--preset=smoke")
LONG = "[" + ",".join(f"({i},1,3,{i - 1},0)" for i in range(1, 25)) + "]"
VERBS = list(verbs.NAMES)


def refused(blockqnn, arguments):
    """Runs a command that must be refused; returns the sentence."""
    before = blockqnn.files()
    status, out, err = blockqnn(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("blockqnn: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert blockqnn.files() == before
    return err


@pytest.mark.parametrize("words", [[], ["serach"], [""], ["--seed=1"], ["SEARCH"], ["1"]])
def test_what_is_no_verb_is_refused_by_listing_the_verbs(blockqnn, words):
    err = refused(blockqnn, words)
    for verb in VERBS:
        assert verb in err


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["--nope", "--nope=1", "-x", "--seeed=1", "--no=", "--=3"])
def test_an_unknown_flag_is_refused(blockqnn, verb, flag):
    words = {"search": [], "bench": [], "compare": []}.get(verb, ["inception"])
    err = refused(blockqnn, [verb, *words, flag])
    assert f"blockqnn {verb} --help" in err


@pytest.mark.parametrize(
    "flag",
    [
        "--seed=x",
        "--seed=-1",
        "--seed=1.5",
        "--seed=",
        "--seed=99999999999999999999",
        "--blocks_per_iteration=0",
        "--max_layers=0",
        "--epochs=0",
        "--batch_size=0",
        "--repeats=0",
        "--workers=-1",
        "--restarts=-1",
        "--alpha=0",
        "--alpha=1.5",
        "--alpha=nan",
        "--gamma=-0.1",
        "--gamma=2",
        "--initial_q=inf",
        "--mu=nan",
        "--rho=1e999",
        "--learning_rate=0",
        "--learning_rate_decay=1.1",
        "--beta1=1",
        "--beta2=-1",
        "--adam_epsilon=0",
        "--restart_factor=0",
        "--child_timeout_seconds=0",
        "--child_timeout_seconds=inf",
        "--filters=",
        "--filters=0",
        "--filters=a",
        "--filters=1,,2",
        "--filters=4,-8",
        "--filters=4.5",
        "--epsilon_schedule=",
        "--epsilon_schedule=1.0",
        "--epsilon_schedule=1.0:0",
        "--epsilon_schedule=2:1",
        "--epsilon_schedule=-0.1:1",
        "--epsilon_schedule=nan:1",
        "--epsilon_schedule=1:x",
        "--epsilon_schedule=1:1,",
        "--epsilon_schedule=1:1:1",
        "--layout=resnet",
        "--evaluator=none",
        "--executor=kubernetes",
        "--agent=human",
        "--exploration=greedy",
        "--execution=fast",
        "--reward_shaping=maybe",
        "--bfloat16=2",
        "--noreward_shaping=3",
    ],
)
def test_a_wrong_value_is_refused_by_the_flags_name(blockqnn, flag):
    err = refused(blockqnn, [*DRY, flag])
    assert flag.strip("-").partition("=")[0].removeprefix("no") in err
    assert "blockqnn search --help" in err


@pytest.mark.parametrize(
    ("flag", "allowed"),
    [
        ("--seed=x", "an integer of at least 0"),
        ("--epochs=0", "an integer of at least 1"),
        ("--alpha=2", "a number above 0 and of at most 1"),
        ("--gamma=2", "of at least 0 and of at most 1"),
        ("--mu=x", "a number"),
        ("--layout=x", "cifar or imagenet or cells or nasbench201"),
        ("--filters=x", "as in 32,64,128"),
        ("--epsilon_schedule=x", "as in 1.0:95,0.9:7"),
    ],
)
def test_a_wrong_value_is_refused_by_saying_what_was_given_and_what_is_allowed(
    blockqnn, flag, allowed
):
    err = refused(blockqnn, [*DRY, flag])
    assert allowed in err
    assert flag.partition("=")[2] in err


@pytest.mark.parametrize("last", ["--seed", "--run_dir", "--preset", "--flagfile"])
def test_a_flag_without_its_value_is_refused(blockqnn, last):
    assert last.strip("-") in refused(blockqnn, [*DRY, last])


@pytest.mark.parametrize("words", [["extra"], ["runs/digits"], ["--", "--seed=1"]])
def test_search_takes_no_words(blockqnn, words):
    refused(blockqnn, [*DRY, *words])


def test_an_unknown_preset_is_refused_by_listing_the_presets(blockqnn):
    err = refused(blockqnn, ["search", "--evaluator=dry", "--preset=nope"])
    for name in ("digits", "cifar10_cpu", "cifar10", "cifar100_paper", "smoke"):
        assert name in err


@pytest.mark.parametrize("preset", ["", "../presets/smoke", "smoke.flags"])
def test_a_preset_is_a_name_and_no_path(blockqnn, preset):
    refused(blockqnn, ["search", "--evaluator=dry", f"--preset={preset}"])


@pytest.mark.parametrize(
    "content",
    [None, b"--nope=1\n", b"--seed=x\n", b"word\n", b"--preset=nope\n", b"\xff\xfe\x00--seed=1\n"],
    ids=["missing", "unknown flag", "wrong value", "word", "wrong preset", "no text"],
)
def test_a_flag_file_that_cannot_be_used_is_refused(blockqnn, content):
    if content is not None:
        (blockqnn.directory / "my.flags").write_bytes(content)
    refused(blockqnn, [*DRY, "--flagfile=my.flags"])


def test_flag_files_that_name_one_another_are_refused(blockqnn):
    (blockqnn.directory / "my.flags").write_text("--flagfile=your.flags\n--nope=1\n")
    (blockqnn.directory / "your.flags").write_text("--flagfile=my.flags\n")
    refused(blockqnn, [*DRY, "--flagfile=my.flags"])


def test_a_directory_is_no_flag_file(blockqnn):
    (blockqnn.directory / "my.flags").mkdir()
    refused(blockqnn, [*DRY, "--flagfile=my.flags"])


@pytest.mark.parametrize(
    "flags",
    [
        ["--dataset=no_such_set"],
        ["--dataset="],
        ["--dataset=synthetic:1x1:3"],
        ["--dataset=cifar10", "--data_dir=nowhere", "--evaluator=train"],
        ["--filters=1,1,1,1,1"],
        ["--layout=imagenet", "--filters=1,1,1"],
    ],
)
def test_data_that_are_missing_or_too_small_are_refused(blockqnn, flags):
    refused(blockqnn, [*DRY, "--run_dir=run", *flags])


@pytest.mark.parametrize("run_dir", ["file", "file/run"])
def test_a_run_directory_that_cannot_be_one_is_refused(blockqnn, run_dir):
    (blockqnn.directory / "file").write_text("mine")
    assert "--run_dir" in refused(blockqnn, [*DRY, f"--run_dir={run_dir}"])


def test_a_run_directory_with_another_programs_store_is_refused(blockqnn):
    run = blockqnn.directory / "run"
    run.mkdir()
    (run / "lock").touch()
    (run / "store.sqlite").write_text("<html></html>" * 100)
    assert "store.sqlite" in refused(blockqnn, [*DRY, "--run_dir=run"])
    for arguments in (["show", "run"], ["show", "run#1"], ["trials", "run"]):
        assert "store.sqlite" in refused(blockqnn, arguments)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["inception", "residual", "inception"],
        ["inception", "nowhere"],
        ["nowhere", "inception"],
        ["inception", "nowhere#1"],
        ["inception", "[(1,9,0,0,0)]"],
        ["inception", "."],
        ["inception", "--sort=size"],
        ["inception", "--order=up"],
        ["inception", "--status=running"],
        ["inception", "--iteration=0"],
        ["inception", "--iteration=3-2"],
        ["inception", "--iteration=x"],
        ["inception", "--min_accuracy=high"],
        ["inception", "--max_flops=1T"],
        ["inception", "--max_parameters=inf"],
        ["inception", "--max_depth=k"],
        ["inception", "--has=conv7x7"],
        ["inception", "--has=add,,concat"],
        ["Inception"],
        ["nowhere"],
        ["nowhere#1"],
        ["nowhere#best"],
        ["#best"],
        ["#"],
        ["."],
        [".#1"],
        ["[]"],
        ["["],
        ["[(1,9,0,0,0)]"],
        ["[(1,1,3,0,0),(2,1,3,2,0)]"],
        ["[(1,1,3,0,0)] and more"],
        [LONG],
        ["[(1,1,3,0,0),(2,1,3,1,0)]", "--max_layers=1"],
        ["inception", "--format=xml"],
        ["inception", "--filters=0"],
        ["inception", "--repeats=0"],
        ["inception", "--classes=0"],
        ["inception", "--top=0"],
        ["inception", "--image_size=3"],
        ["inception", "--layout=imagenet", "--image_size=15"],
        ["x" * 300],
        ["x" * 300 + "#best"],
        ["\U0001f9f1"],
    ],
)
def test_a_block_that_cannot_be_shown_is_refused(blockqnn, words):
    refused(blockqnn, ["show", *words])


def test_an_unknown_block_is_refused_by_saying_what_can_be_given(blockqnn):
    err = refused(blockqnn, ["show", "resnet"])
    for allowed in [*PUBLISHED, "RUN_DIR#NUMBER", "RUN_DIR#best", "[(1,1,3,0,0)"]:
        assert allowed in err


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "", "1.0", "Best", "9" * 300])
def test_a_trial_that_a_run_does_not_have_is_refused_by_saying_which_it_has(blockqnn, number):
    blockqnn.search("--preset=smoke", "--run_dir=run")
    last = blockqnn.trials("run")[-1]["number"]
    assert f"1 to {last}" in refused(blockqnn, ["show", f"run#{number}"])


def test_the_best_of_a_run_that_trained_nothing_is_refused(blockqnn):
    flags = ["--preset=smoke", "--run_dir=run", "--max_parameters=1"]
    assert blockqnn("search", "--evaluator=dry", "--executor=inline", *flags)[0] == 1
    why = "has no trained block yet: more than 1 parameters (67); no convolution (13)."
    for words in (["show", "run#best"], ["train", "run", "--top=2"], ["calibrate", "run"]):
        assert why in refused(blockqnn, words)
    contest = ["--search_flags=run/search.flags", "--agents=random", "--budgets=2", "--seeds=1"]
    status, _, err = blockqnn("compare", "--evaluator=dry", *contest, "--out_dir=contest")
    assert status == 2
    assert "random, seed 0, has no trained block yet: more than 1 parameters (" in err
    status, out, _ = blockqnn("rescore", "run")
    assert (status, out.splitlines()[-2:]) == (
        1,
        ["    67  more than 1 parameters", "    13  no convolution"],
    )
    assert blockqnn("rescore", "run", "--format=json")[0] == 1


@pytest.mark.parametrize("words", [[], ["nowhere"], ["."], ["a", "b"], [".", "--format=xml"]])
def test_a_run_that_cannot_be_listed_is_refused(blockqnn, words):
    refused(blockqnn, ["trials", *words])


def test_a_file_is_no_run(blockqnn):
    (blockqnn.directory / "file").touch()
    for arguments in (["trials", "file"], ["show", "file#1"], ["show", "file"]):
        refused(blockqnn, arguments)


@pytest.mark.parametrize("kind", ["folder", "npz", "text"])
def test_data_without_a_path_are_not_those_of_the_current_directory(blockqnn, kind):
    preset = "rnn_text" if kind == "text" else "smoke"
    for flags in ([], ["--run_dir=run", f"--preset={preset}"]):
        err = refused(blockqnn, ["search", f"--dataset={kind}:", *flags])
        assert err == f"blockqnn: --dataset {kind}: names no path; write it behind the colon.\n"
