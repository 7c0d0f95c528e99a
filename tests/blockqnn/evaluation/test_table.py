"""Tables of accuracies: what is read, what a search makes of them, what is refused."""

import gzip

import pytest

from blockqnn.errors import UserError
from blockqnn.evaluation.table import AccuracyTable, TableEvaluator
from blockqnn.networks.spaces.nasbench201.codes import parse_cell
from blockqnn.networks.spaces.nsc.codes import parse
from blockqnn.networks.spaces.registry import design_of
from blockqnn.trial import Job, Status

CELL = "|none~0|+|none~0|nor_conv_1x1~1|+|none~0|skip_connect~1|none~2|"
OTHER = CELL.replace("nor_conv_1x1", "nor_conv_3x3")
TEXT = f"index,arch_str,early,late\n0,{CELL},61.5,90\n1,{OTHER},70,80.25\n"
BLOCKS = 'code,early\n"[(1,1,3,0,0),(2,7,0,0,0)]",50\n"[(1,1,1,0,0),(2,1,3,1,0)]",60\n'


@pytest.fixture
def table(tmp_path):
    """Writes a table; returns its path."""

    def table(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return table


@pytest.mark.parametrize(
    "data", [TEXT.encode(), gzip.compress(TEXT.encode(), mtime=0), b"\xef\xbb\xbf" + TEXT.encode()]
)
def test_chosen_columns_are_read_in_their_order(table, data):
    found = AccuracyTable(table(data), ("late", "early"))
    assert found.find(parse_cell(CELL)) == (0, (90.0, 61.5))
    assert found.find(parse_cell(OTHER)) == (1, (80.25, 70.0))
    assert found.codes == [parse_cell(CELL), parse_cell(OTHER)]
    assert found.find(parse_cell(CELL.replace("skip_connect", "none"))) is None
    assert (found.best(0), found.best(1)) == (90.0, 70.0)


def test_blocks_are_found_however_they_are_written(table):
    found = AccuracyTable(table(BLOCKS), ("early",))
    assert found.find(parse("[(1,4,0,0,0),(2,1,3,1,0)]")) == (0, (50.0,))
    assert found.find(parse("[(1,1,1,0,0),(2,1,3,1,0)]")) == (1, (60.0,))
    assert found.find(parse("[(1,1,5,0,0)]")) is None


def test_the_first_column_is_the_accuracy_and_what_is_missing_fails(table):
    path = table(TEXT)
    evaluator = TableEvaluator(AccuracyTable(path, ("late", "early")))

    def evaluate(text):
        code = parse_cell(text)
        return evaluator.evaluate(Job(1, code, design_of(code).hash, 0), 0)

    assert evaluate(CELL).accuracies == (90.0,)
    missing = evaluate(CELL.replace("skip_connect", "none"))
    assert (missing.status, missing.reason) == (Status.FAILED, f"the table {path} does not have it")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has no column code or arch_str, but a, b"),
        ("", "and no header at all"),
        (TEXT.replace("early", "x"), "has no column 'early', but index, arch_str, x, late"),
        ("arch_str,early\n", "it has no rows"),
        (TEXT + "2,|none~0|,1,2\n", "line 4 cannot be read: A cell is written"),
        (TEXT + f"2,{CELL},1,2\n", "line 4 .* is the same design as a row before"),
        (TEXT.replace("61.5", "many"), "line 2 cannot be read: could not convert"),
        (TEXT.replace("61.5", "nan"), "line 2 .* percentages from 0 to 100"),
        (TEXT.replace("61.5", "101"), "line 2 .* percentages from 0 to 100"),
        (f"arch_str,early\n{CELL}\n", "line 2 cannot be read"),
        (gzip.compress(TEXT.encode(), mtime=0)[:40], "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_by_name(table, text, words):
    path = table(text)
    with pytest.raises(UserError, match=words) as refusal:
        AccuracyTable(path, ("early",))
    assert str(refusal.value).startswith(f"--table {path}: ")


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        AccuracyTable(str(tmp_path / "none.csv"), ("early",))


def all_cells():
    """A table of all cells, whose accuracy counts the 3x3 convolutions."""
    lines = ["arch_str,early"]
    names = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    for number in range(5**6):
        ops = [names[number // 5**place % 5] for place in range(6)]
        text = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*ops)
        lines.append(f"{text},{20 + 10 * ops.count('nor_conv_3x3')}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_search_on_a_table_trains_nothing(blockqnn, table, executor):
    path = table(all_cells())
    arguments = (
        "--preset=nasbench201",
        f"--table={path}",
        "--search_column=early",
        "--epsilon_schedule=1.0:2,0.1:2",
        "--run_dir=run",
        f"--executor={executor}",
    )
    status, out, err = blockqnn("search", *arguments)
    assert (status, err) == (0, "")
    assert "waiting for compilers" not in out
    trials = blockqnn.trials("run")
    assert len(trials) >= 40
    for trial in trials:
        assert trial["code"].count("~") == 6
        if trial["status"] == "completed":
            assert trial["accuracy"] == 20 + 10 * trial["code"].count("nor_conv_3x3")
            assert trial["reward"] == trial["accuracy"], "the preset corrects nothing"
    # The same command finds nothing left to do; a longer schedule goes on.
    assert blockqnn("search", *arguments)[0] == 0
    assert blockqnn.trials("run") == trials
    longer = [a.replace("0.1:2", "0.1:3") for a in arguments]
    assert blockqnn("search", *longer)[0] == 0
    assert blockqnn.trials("run")[: len(trials)] == trials
    assert len(blockqnn.trials("run")) > len(trials)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset=nasbench201",), "--evaluator=table needs --table and --search_column."),
        (("--preset=nasbench201", "--table=x"), "--table x: it cannot be read (No such file"),
        (
            ("--space=nasbench201", "--layout=cifar"),
            "--space=nasbench201 does not go with --layout=cifar; ",
        ),
        (("--layout=nasbench201",), "--space=nsc does not go with --layout=nasbench201; "),
        (("--space=nasnet",), "nsc or nasbench201"),
    ],
)
def test_flags_that_contradict_one_another_are_refused(blockqnn, arguments, words):
    for executor in ("inline", "local"):
        status, out, err = blockqnn("search", *arguments, f"--executor={executor}", "--run_dir=r")
        assert (status, out) == (2, "")
        assert words in err
        assert "--run_dir=r" not in err
