"""The table of the verbs, and the help of those that have presets."""

import subprocess
import sys

import pytest

from blockqnn.errors import UserError
from blockqnn.flags import verbs
from blockqnn.flags.search import SEARCH
from blockqnn.flags.training import TRAIN
from tests.paths import ROOT


@pytest.mark.parametrize("name", verbs.NAMES)
def test_a_verb_has_the_name_of_its_line(name):
    verb = verbs.find(name)
    assert verb.name == name == verb.define().verb


def test_what_a_verb_returns_is_the_exit_status(monkeypatch):
    monkeypatch.setattr("blockqnn.searching.command.run_search", lambda *_: 130)
    assert SEARCH.carry_out(["--evaluator=dry"]) == 130


def test_a_verb_waits_for_no_other_verb():
    program = (
        "import sys\n"
        "from blockqnn.__main__ import main\n"
        "assert main(['status', 'nowhere']) == 2\n"
        "loaded = [name for name in sys.modules if name.startswith('blockqnn.')]\n"
        "others = ('contests', 'report', 'calibration', 'bench', 'export', 'full_training')\n"
        "assert not [n for n in loaded if n.split('.')[1] in others], loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)


def defaults(text):
    """The default of each flag in a help text."""
    found = {}
    for part in text.split("\n  --")[1:]:
        name = part.split("\n")[0].removeprefix("[no]")
        found[name] = " ".join(part.split()).rpartition("(default: ")[2].partition(")")[0]
    return found


@pytest.mark.parametrize(
    ("words", "preset", "epochs", "repeats"),
    [
        ([], "digits", "4", "1"),
        (["--preset=smoke"], "smoke", "1", "1"),
        (["--preset", "cifar100_paper"], "cifar100_paper", "12", "1"),
        (["--preset=smoke", "--preset=nasbench201"], "nasbench201", "12", "5"),
        # Whatever else there is does not matter.
        (["--preset=smoke", "--epochs=99", "--nope", "word"], "smoke", "1", "1"),
    ],
)
def test_the_help_of_search_shows_a_presets_values(words, preset, epochs, repeats):
    text = SEARCH.help(words)
    assert f"Defaults are those of the preset {preset}; " in text
    found = defaults(text)
    assert (found["epochs"], found["repeats"]) == (epochs, repeats)
    assert (
        found["dataset"] == SEARCH.parse([f"--preset={preset}", "--evaluator=dry"])[0].data.dataset
    )


def test_a_flag_file_can_name_the_preset_of_the_help(tmp_path):
    file = tmp_path / "my.flags"
    file.write_text("--preset=smoke\n")
    assert "of the preset smoke;" in SEARCH.help([f"--flagfile={file}"])


def test_the_help_of_train_shows_a_presets_values():
    assert defaults(TRAIN.help([]))["milestones"] == "15,22"
    modern = TRAIN.help(["--preset=train_modern"])
    assert "of the preset train_modern;" in modern
    assert defaults(modern)["cutout"] == "16"
    with pytest.raises(UserError, match="train_modern"):
        TRAIN.help(["--preset=digits"])


def test_the_help_of_search_begins_with_what_is_common():
    groups = SEARCH.help([]).split("\n\n")[3:]
    names = [line.split()[0] for line in groups[0].splitlines() if line.startswith("  --")]
    assert groups[0].startswith("Common:\n")
    assert 9 <= len(names) <= 12
    assert names[:5] == ["--preset", "--run_dir", "--seed", "--dataset", "--agent"]
    # None is listed twice, and none is left out.
    assert sorted(defaults("\n\n".join(groups))) == sorted(SEARCH.define().values)
    titles = [group.split("\n")[0] for group in groups]
    for owner in ("Agent q_learning (", "Agent evolution (", "Predictor (", "Evaluator table ("):
        assert len([title for title in titles if title.startswith(owner)]) == 1
