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
    assert (missing.status, missing.reason) == (Status.FAILED, "the table does not have it")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has no column code or arch_str, but a, b"),
        ("", "and no header at all"),
        (TEXT.replace("early", "x"), "has no column 'early', but index, arch_str, x, late"),
        ("arch_str,early\n", "it has no rows"),
        (TEXT + "2,|none~0|,1,2\n", "line 4 cannot be read: A cell is written"),
        (
            TEXT + f"2,{CELL},1,2\n" + f"3,{CELL},1,2\n",
            "1 design in more than one row, with different accuracies, the first in lines 2 and 4;",
        ),
        (TEXT.replace("61.5", "many"), "line 2 cannot be read: 'many' is no number"),
        (TEXT.replace("61.5", "6_1"), "line 2 cannot be read: '6_1' is no number"),
        (
            TEXT.replace("61.5", "inf"),
            "1 of the 2 values in 'early' cannot be acc.* inf, in line 2",
        ),
        (TEXT.replace("70,", "101,"), "from 0 to 100 %; the first is 101, in line 3"),
        (TEXT.replace("61.5", "-3"), "from 0 to 100 %; the first is -3, in line 2"),
        (f"arch_str,early\n{CELL}\n", "none of its 1 rows has an accuracy in 'early'"),
        (f"early,code,early\n1,{CELL},2\n", "2 columns 'early'"),
        (f"{CELL},50\n{OTHER},60\n", "its first row is a design already; before it must"),
        ("code,early\n[(1,1,3,0,0)],50\n", "line 2 has 6 cells and the header has 2; codes that"),
        (b"PK\x03\x04...", "it is a workbook or an archive; save the table as CSV"),
        (TEXT.encode() + b"\0", "it is no text"),
        ("code\tearly\n\t60\n", "line 2 cannot be read: it has no code"),
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


PLAIN = {CELL: 61.5, OTHER: 70.0}


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", ";").replace("61.5", "61,5").encode(),
        TEXT.replace(",", ", ").replace("61.5", "61.5 %").encode(),
        TEXT.replace("61.5", '"61,5"').encode(),
        f"# made up\n\n{TEXT}".encode(),
        f"sep=,\n{TEXT},,,\n\n".encode(),
        TEXT.replace("arch_str", "Arch_Str").replace("early", "Early").encode(),
        TEXT.replace("arch_str", "architecture").encode(),
        (
            TEXT + f"2,{CELL},61.50,90\n3,|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,,1\n"
        ).encode(),
    ],
)
def test_a_table_is_read_however_it_is_written(table, data):
    found = AccuracyTable(table(data), ("early",))
    assert {cell: found.find(parse_cell(cell))[1][0] for cell in PLAIN} == PLAIN
    assert len(found.codes) == 2


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (TEXT, []),
        (
            TEXT.replace("61.5", "0.615").replace("70", "0.7"),
            [
                "All accuracies in 'early' lie between 0 and 1: they are taken as fractions, and "
                "multiplied by 100."
            ],
        ),
        (
            TEXT.replace("61.5", "0.615"),
            [
                "1 of the 2 accuracies in 'early' are 1 % or less, and the highest is 70 %: see "
                "whether they are fractions."
            ],
        ),
        (TEXT.replace("61.5", "0.615%").replace("70", "0.7 %"), None),
        (
            TEXT.replace("61.5", "70"),
            ["All accuracies in 'early' are 70 %: no design is better than another."],
        ),
        (
            TEXT + f"2,{CELL},61.5,1\n3,{CELL.replace('1x1', '3x3')},NA,1\n",
            [
                "Left out: 1 row without an accuracy in 'early'.",
                "Left out: 1 row like an earlier one.",
            ],
        ),
    ],
)
def test_what_is_not_taken_as_it_stands_is_said_with_counts(table, text, sentences):
    path = table(text)
    found = AccuracyTable(path, ("early",))
    first, *others = found.sentences(found.space())
    assert first == (
        f"Table {path}: 2 of the 15,625 cells of the space nasbench201; suggestions that it lacks "
        "are counted and never judged."
    )
    assert sentences is None or others == sentences


def test_fractions_are_made_percentages_column_by_column(table):
    text = TEXT.replace("61.5", "0.615").replace("70", "0.7")
    found = AccuracyTable(table(text), ("early", "late"))
    assert found.find(parse_cell(CELL))[1] == (61.5, 90)
    assert (found.best(0), found.best(1)) == (70, 90)


@pytest.mark.parametrize("loop", ["--async", "--noasync"])
def test_suggestions_that_a_table_lacks_are_drawn_anew_and_earn_nothing(blockqnn, table, loop):
    lines = all_cells().splitlines()
    path = table("\n".join(lines[:9001]) + "\n")
    known = {line.split(",")[0] for line in lines[1:9001]}
    status, out, err = blockqnn(
        *("search", "--preset=nasbench201", f"--table={path}", "--search_column=early", loop),
        *("--epsilon_schedule=1.0:2,0.1:2", "--run_dir=run", "--executor=inline"),
    )
    assert (status, err) == (0, "")
    assert out.startswith(f"Table {path}: 9,000 of the 15,625 cells of the space nasbench201; ")
    trials = blockqnn.trials("run")
    lacking = [trial for trial in trials if trial["reason"]]
    assert {t["status"] for t in lacking} == {"infeasible"}
    assert {t["reward"] for t in lacking} == {None}
    assert {t["code"] in known for t in lacking} == {False}
    assert {t["code"] in known for t in trials if not t["reason"]} == {True}
    assert f"The table lacks {len(lacking)} of them, which were never judged." in out
    assert len(trials) - len(lacking) == 40, "each iteration has its ten cells"
    shown = blockqnn("show", f"run#{lacking[0]['number']}")[1]
    assert "reward       -" in shown


def test_a_table_that_cannot_be_used_leaves_no_run(blockqnn, table):
    path = table(BLOCKS)
    command = ("search", "--preset=nasbench201", f"--table={path}", "--search_column=early")
    status, out, err = blockqnn(*command, "--run_dir=run", "--executor=inline")
    assert (status, out) == (2, "")
    assert "it has 2 blocks of the space nsc, and the space is nasbench201 (--space)." in err
    assert blockqnn.files() == []


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
    assert "waited for the compiler" not in out
    trials = blockqnn.trials("run")
    assert len(trials) >= 40
    for trial in trials:
        assert trial["code"].count("~") == 6
        if trial["status"] == "trained":
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
        (("--space=nasnets",), "allowed: nsc or nasbench201 or nasnet or "),
    ],
)
def test_flags_that_contradict_one_another_are_refused(blockqnn, arguments, words):
    for executor in ("inline", "local"):
        status, out, err = blockqnn("search", *arguments, f"--executor={executor}", "--run_dir=r")
        assert (status, out) == (2, "")
        assert words in err
        assert "--run_dir=r" not in err
