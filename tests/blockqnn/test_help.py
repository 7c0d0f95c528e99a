"""What `--help` prints."""

import re
import subprocess
import sys

import pytest

from blockqnn.flags import verbs

DEFINE = {name: verbs.find(name).define for name in verbs.NAMES}


def helped(blockqnn, *words):
    before = blockqnn.files()
    status, out, err = blockqnn(*words)
    assert (status, err) == (0, "")
    assert blockqnn.files() == before
    return out


@pytest.mark.parametrize("word", ["--help", "-h", "-help", "--helpfull", "help"])
def test_help_lists_the_verbs(blockqnn, word):
    out = helped(blockqnn, word)
    for verb in DEFINE:
        assert len(re.findall(rf"^  {verb}\b.*  [A-Z][a-z]+ ", out, re.MULTILINE)) == 1
    assert "blockqnn VERB --help" in out


def listed_flags(out):
    """Each flag of a help text with its description on one line."""
    blocks = re.split(r"^  --(?:\[no\])?(\w+)\n", out, flags=re.MULTILINE)[1:]
    names, texts = blocks[::2], blocks[1::2]
    # A description is indented further than flags and titles of groups.
    texts = [re.split(r"\n(?! {8})", text)[0] for text in texts]
    assert len(set(names)) == len(names)
    return {name: " ".join(text.split()) for name, text in zip(names, texts, strict=True)}


@pytest.mark.parametrize("verb", DEFINE)
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_help_of_a_verb_lists_its_flags_alone_each_with_meaning_and_default(
    blockqnn, verb, place
):
    words = [verb, "--help", "--seed=x"] if place == "first" else [verb, "extra", "--help"]
    found = listed_flags(helped(blockqnn, *words))
    assert set(found) == set(DEFINE[verb]().values)
    for name, text in found.items():
        meaning, default = re.fullmatch(r"(.*) \(default: (.+)\)", text).groups()
        assert len(meaning) > 10, f"--{name} says what it means"
        assert default


@pytest.mark.parametrize(
    ("verb", "name", "default"),
    [
        ("search", "preset", "digits"),
        ("search", "run_dir", "empty"),
        ("search", "alpha", "0.1"),
        ("search", "filters", "16,32"),
        ("search", "reward_shaping", "true"),
        ("search", "adam_epsilon", "1e-08"),
        ("search", "epsilon_schedule", "1:14,0.8:4,0.6:4,0.4:3,0.2:2,0.1:2"),
        ("show", "format", "text"),
        ("show", "repeats", "2"),
        ("show", "sort", "reward"),
        ("show", "max_flops", "empty"),
        ("show", "has", "empty"),
        ("trials", "format", "table"),
        ("explain", "top", "10"),
        ("explain", "value", "mean"),
        ("bench", "blocks", "block-qnn-s,residual,inception"),
        ("bench", "steps", "10"),
        ("bench", "against", "none"),
        ("export", "to", "empty"),
        ("calibrate", "blocks", "20"),
        ("rescore", "mu", "run"),
        ("train", "preset", "train_digits"),
        ("train", "milestones", "15,22"),
        ("evaluate", "batch_sizes", "1,8,64,256"),
    ],
)
def test_a_default_is_shown_as_one_would_type_it(blockqnn, verb, name, default):
    assert listed_flags(helped(blockqnn, verb, "--help"))[name].endswith(f"(default: {default})")


def test_the_help_of_search_is_in_groups_and_fits_a_terminal(blockqnn):
    out = helped(blockqnn, "search", "--help")
    titles = re.findall(r"^(\w[^:\n]*):$", out, re.MULTILINE)
    assert len(titles) >= 5
    assert max(map(len, out.splitlines())) <= 100
    assert out.startswith("Designs blocks")


def test_the_presets_are_named_in_the_help(blockqnn):
    text = listed_flags(helped(blockqnn, "search", "--help"))["preset"]
    for name in ("digits", "cifar10_cpu", "cifar10", "cifar100_paper", "smoke"):
        assert name in text


def test_the_module_is_a_command():
    for words, status in ((["--help"], 0), (["nonsense"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "blockqnn", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == status
        assert "Traceback" not in done.stderr
