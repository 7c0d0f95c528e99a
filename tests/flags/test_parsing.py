"""Flags as text: what is read is what is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockqnn.errors import UserError
from blockqnn.flags.flag_text import as_text, parse_filters, parse_schedule
from blockqnn.flags.parsing import FlagSet
from blockqnn.flags.preset_files import preset_names, preset_path

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def small_set():
    flags = FlagSet("verb", "WORD", "Does something.")
    flags.group("First")
    flags.text("text", "hello", "any text")
    flags.choice("choice", "a", ("a", "b"), "one of two")
    flags.integer("integer", 3, "a count", 1)
    flags.group("Second")
    flags.number("number", 0.5, "a share", least=0, most=1)
    flags.special("filters", (1, 2), "channels", parse_filters, "positive integers")
    flags.switch("switch", True, "on or off")
    return flags


@given(FINITE)
def test_a_number_as_text_is_the_same_number(value):
    assert float(as_text(value)) == value


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5).map(tuple))
def test_filters_as_text_are_the_same_filters(filters):
    assert parse_filters(as_text(filters)) == filters


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 500)), min_size=1).map(tuple))
def test_a_schedule_as_text_is_the_same_schedule(schedule):
    assert parse_schedule(as_text(schedule)) == schedule


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-8, "1e-08"),
        (1 / 3, "0.3333333333333333"),
        ((32, 64), "32,64"),
        (((1.0, 95), (0.9, 7)), "1:95,0.9:7"),
        ("", ""),
    ],
)
def test_values_as_text(value, text):
    assert as_text(value) == text


def test_defaults_words_and_given_values():
    flags = small_set()
    assert flags.parse([]) == []
    assert flags.chosen() == {
        "text": "hello",
        "choice": "a",
        "integer": 3,
        "number": 0.5,
        "filters": (1, 2),
        "switch": True,
    }
    flags = small_set()
    words = flags.parse(
        ["one", "--text=x y", "--choice", "b", "two", "--integer=1_000", "--noswitch"]
    )
    assert words == ["one", "two"]
    assert flags.chosen()["text"] == "x y"
    assert flags.chosen()["choice"] == "b"
    assert flags.chosen()["integer"] == 1000
    assert flags.chosen()["switch"] is False


def test_a_flag_given_twice_has_its_last_value():
    flags = small_set()
    flags.parse(["--integer=5", "--integer=6"])
    assert flags.chosen()["integer"] == 6


def test_sets_of_flags_share_nothing():
    one, other = small_set(), small_set()
    one.parse(["--integer=5"])
    other.parse([])
    assert other.chosen()["integer"] == 3


@given(
    st.integers(1, 2**62),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from(["a", "b"]),
    st.text(st.characters(categories=["L", "N", "P", "S"])),
)
def test_the_flag_file_names_the_same_values(tmp_path_factory, integer, number, on, choice, text):
    flags = small_set()
    flags.parse(
        [
            f"--integer={integer}",
            f"--number={number!r}",
            f"--switch={on}",
            f"--choice={choice}",
            f"--text={text}",
        ]
    )
    path = tmp_path_factory.mktemp("flags") / "kept.flags"
    path.write_text(flags.flag_file())
    again = small_set()
    assert again.parse(again.expanded([f"--flagfile={path}"])) == []
    assert again.chosen() == flags.chosen()


def test_flag_files_are_put_in_their_place(tmp_path):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.write_text("# a comment\n\n--integer=4\n// another\n--text=inner\n")
    outer.write_text(f"--integer=3\n--flagfile={inner}\n--choice=b\n")
    flags = small_set()
    expanded = flags.expanded(["--text=before", f"--flagfile={outer}", "--choice=a"])
    assert expanded == [
        "--text=before",
        "--integer=3",
        "--integer=4",
        "--text=inner",
        "--choice=b",
        "--choice=a",
    ]
    flags.parse(expanded)
    assert flags.chosen()["integer"] == 4
    assert (flags.chosen()["text"], flags.chosen()["choice"]) == ("inner", "a")


@pytest.mark.parametrize(
    ("argument", "allowed"),
    [
        ("--integer=0", "an integer of at least 1"),
        ("--integer=2.0", "an integer of at least 1"),
        ("--integer=9223372036854775808", "an integer of at least 1"),
        ("--number=1.01", "a number of at least 0 and of at most 1"),
        ("--number=nan", "a number of at least 0 and of at most 1"),
        ("--choice=c", "a or b"),
        ("--filters=0", "positive integers"),
    ],
)
def test_a_refusal_says_what_was_given_what_is_allowed_and_where_to_look(argument, allowed):
    with pytest.raises(UserError) as refusal:
        small_set().parse([argument])
    message = str(refusal.value)
    name, _, value = argument.strip("-").partition("=")
    for part in (name, value, allowed, "blockqnn verb --help"):
        assert part in message
    assert "\n" not in message


def test_the_help_has_groups_meanings_and_defaults():
    text = small_set().help()
    first, second = text.index("First:"), text.index("Second:")
    assert text.index("--integer") in range(first, second)
    assert text.index("--number") > second
    assert "--[no]switch" in text
    assert "a|b: one of two (default: a)" in text
    assert "channels (default: 1,2)" in text


def test_no_line_of_the_help_breaks_a_word():
    words = [f"space_{number}" for number in range(20)]
    found = small_set()
    found.choice("many", words[0], words, "one of many")
    assert set(words) <= {word.strip(":") for word in found.help().split()}


def test_the_presets_are_these_and_lie_beside_the_flags():
    assert preset_names() == [
        "cifar10",
        "cifar100_paper",
        "cifar10_cpu",
        "cifar10_small",
        "darts",
        "darts_cell_ptb",
        "darts_cell_ptb_second_order",
        "darts_digits",
        "darts_nasbench201",
        "darts_second_order",
        "darts_text",
        "digits",
        "enas_cell_ptb",
        "enas_digits",
        "enas_macro",
        "enas_macro_code",
        "enas_micro",
        "enas_micro_code",
        "enas_text",
        "few_shot_darts_digits",
        "few_shot_darts_nasbench201",
        "few_shot_digits",
        "few_shot_nasbench201",
        "ground_digits",
        "ground_nasbench201",
        "nas",
        "nas_cell_ptb",
        "nas_digits",
        "nas_text",
        "nasbench201",
        "nasnet",
        "nasnet_digits",
        "one_shot_nasbench201",
        "own",
        "rnn_text",
        "smoke",
    ]
    for name in preset_names():
        assert preset_path(name).is_file()
    with pytest.raises(UserError):
        preset_path("../presets/digits")


def test_a_path_begins_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    flags = FlagSet("verb", "", "A verb.")
    flags.group("All")
    flags.path("place", "", "a place")
    words = flags.parse(["--place=~/runs/x", "~/y#best", "a~b"])
    assert flags.chosen()["place"] == f"{tmp_path}/runs/x"
    assert words == [f"{tmp_path}/y#best", "a~b"]
    for line in (["--place=~nobody_is_called_so/x"], ["~nobody_is_called_so/x"]):
        with pytest.raises(UserError, match="nobody_is_called_so"):
            flags.parse(line)
    # What is there under that name is meant.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~nobody_is_called_so").mkdir()
    flags.parse(["--place=~nobody_is_called_so"])
    assert flags.chosen()["place"] == "~nobody_is_called_so"
