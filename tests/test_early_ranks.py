"""How short trainings rank blocks whose long training is known: what is compared with what."""

from benchmarks._better_block_steps import Ledger
from benchmarks.early_ranks import known, row


def test_errors_are_means_of_the_blocks_that_were_trained_so_long(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    one, two = "[(1,1,3,0,0),(2,7,0,0,0)]", "[(1,1,3,0,0),(2,1,3,1,0),(3,7,0,0,0)]"
    for step, code, error in (
        ("train paper 8 16 parameters:75000 a all 0", one, 28.0),
        ("train paper 8 16 parameters:75000 a all 1", one, 29.0),
        ("train paper 8 16 parameters:75000 b all 0", two, 30.0),
        ("train paper 15 16 parameters:75000 b all 0", two, 20.0),
        ("train modern 8 16 parameters:75000 b all 0", two, 20.0),
    ):
        ledger.add(step, 1.0, 1.0, {"code": code, "error": error})
    ledger.add("train paper 8 16 parameters:75000 c all 0", 1.0, 1.0, None)
    assert known(ledger, 8) == {one: 28.5, two: 30.0}


def test_a_lower_error_is_a_higher_rank():
    errors = {name: float(place) for place, name in enumerate("abcdef")}
    early = {name: 50.0 - error for name, error in errors.items()}
    title, found, blocks, seconds = row("way", early | {"unknown": 3.0}, errors, 21.6)
    assert (title, blocks, seconds) == ("way", "6", "22")
    assert found == "1.00 [1.00, 1.00]"
    # By hand: two neighbours exchanged are 1 - 6 * 2 / (6 * 35).
    early["a"], early["b"] = early["b"], early["a"]
    assert row("way", early, errors, 0)[1].startswith("0.94 [")
    assert row("way", early, errors, 0)[3] == ""
