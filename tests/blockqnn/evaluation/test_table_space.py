"""Tables whose columns say what was decided: searched and played without a space of their own."""

import itertools
import json

import pytest

from blockqnn.agents.registry import AGENTS
from blockqnn.evaluation.table import AccuracyTable
from blockqnn.evaluation.table_space import made_space

COLUMNS = "--space=chain:width,kernel,skip"
NAME = "chain:width=8|16|32|64;kernel=3|5|7;skip=no|yes"
TABLE = (COLUMNS, "--table=t.csv", "--search_column=val")
SEARCH = ("search", "--preset=smoke", "--evaluator=table", "--run_dir=run", *TABLE)


def text(separator=","):
    """Made up: wide, large and with a skip is better, but for the widest with the largest."""
    rows = [separator.join(["note", "skip", "width", "kernel", "val", "test"])]
    for width, kernel, skip in itertools.product((8, 64, 16, 32), (7, 3, 5), ("yes", "no")):
        value = 50 + width / 4 + 2 * kernel + 3 * (skip == "yes") - 20 * (width + kernel == 71)
        rows.append(separator.join(map(str, ["x", skip, width, kernel, value, value + 1])))
    return "\n".join(rows)


@pytest.fixture
def table(blockqnn):
    (blockqnn.directory / "t.csv").write_text(text())
    return blockqnn


def test_the_space_is_read_off_the_columns(tmp_path):
    for separator in ",;\t":
        path = tmp_path / "t.csv"
        path.write_text(text(separator))
        name = made_space("chain:width,kernel,skip", str(path))
        assert name == NAME == made_space(name, "")
        accuracies = AccuracyTable(str(path), ("val", "test"), name)
        space = accuracies.space()
        assert (space.name, accuracies.count(space)) == (NAME, 24)
        assert accuracies.find(space.of_cells(["64", "5", "yes"]))[1] == (79, 80)
        assert accuracies.sentences(space)[0].endswith(f"all 24 rows of the space {NAME}.")


def test_a_search_finds_the_best_row_and_says_its_cells(table):
    flags = (*SEARCH, "--epsilon_schedule=1.0:40", "--blocks_per_iteration=8")
    status, out, err = table(*flags)
    assert (status, err) == (0, "")
    assert "Its row:             width 64, kernel 5, skip yes" in out
    assert "Train it to the end" not in out
    assert table(*flags)[0] == 0
    # The flags of the run have all of the space: the table is asked for accuracies alone.
    (table.directory / "moved.csv").write_text(text())
    kept = "--flagfile=run/search.flags"
    assert table("search", kept, "--table=moved.csv")[0] == 0
    assert "width 64" in table("explain", "run")[1]
    status, out, _ = table("show", "run#best", "--format=json")
    assert (status, json.loads(out)["code"]) == (0, "chain 3/4 1/3 1/2")
    assert table("report", "run", "--out=run.html")[0] == 0
    for words in (("train", "run#best"), ("export", "run#best", "--to=x"), ("finals", "run")):
        status, _, err = table(*words)
        assert status == 2 and ("nobody knows" in err or "come from a table" in err), words


@pytest.mark.long
def test_every_agent_plays_on_it(table):
    more = ("--judge_column=test", "--budgets=24", "--seeds=1", "--workers=1", "--format=json")
    status, out, err = table("compare", *TABLE, *more, f"--agents={','.join(AGENTS)}")
    assert status == 0, err
    facts = json.loads(out)
    assert (facts["optimum"], len(facts["rows"])) == (80, len(AGENTS))
    assert {row["found"] for row in facts["rows"]} == {1}
    status, out, err = table("compare", *TABLE, *more, "--methods=random,evolution", "--out_dir=m")
    assert status == 0, err
    (judged,) = json.loads(out)["judges"]
    assert [row["name"] for row in judged["without_search"]] == ["a random choice"]
    # All 24 rows evaluated, the best by val is the best by test.
    assert judged["rows"][0]["mean"] == 80


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--space=chain",), "needs the columns of the table that say what was decided"),
        (("--space=chain",), "t.csv has note, skip, width, kernel, val, test."),
        (("--space=chain:width,depth",), "it has no column 'depth'"),
        (("--space=chain:width,width",), "names a column twice"),
        (("--space=chain:width,kernel",), "12 designs in more than one row"),
        (("--space=chain:width", "--table="), "is made of a table: name its file by --table"),
        (("--space=chian",), "--space"),
        (("--mu=1",), "--mu and --rho take FLOPs and density off a reward"),
        (("--evaluator=dry", "--table="), "name its file by --table"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(table, flags, words):
    status, out, err = table(*SEARCH, *flags)
    assert (status, out) == (2, "")
    assert words in err
    assert not (table.directory / "run").exists()


def test_a_space_of_a_table_trains_nothing(table):
    arguments = [word for word in SEARCH if word != "--evaluator=table"]
    status, _, err = table(*arguments, f"--space={NAME}", "--table=", "--search_column=")
    assert status == 2
    assert "rows of a table, and nobody knows their networks" in err


def test_what_is_no_decision_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "\n".join(f"{n},{n / 7}" for n in range(1001)))
    with pytest.raises(Exception, match="'b' has 1,001 different cells, which is a measurement"):
        made_space("chain:b", str(path))
    path.write_text("a,b\n1,\n2,3\n")
    with pytest.raises(Exception, match="a row has nothing in 'b'"):
        made_space("chain:a,b", str(path))
