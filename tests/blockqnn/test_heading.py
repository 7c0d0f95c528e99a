"""The first lines of a verb."""

from blockqnn.heading import heading


def test_facts_stand_below_one_another():
    facts = {"Data": "digits", "Device": "1 CPU core\n2 workers", "Run": None, "Next": ""}
    assert heading(facts) == "Data:    digits\nDevice:  1 CPU core\n         2 workers"
    assert heading({}) == ""
