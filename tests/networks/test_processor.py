"""What kind of processor computes."""

import os

import pytest

from blockqnn.networks.processor import kind_of_processor, processor_name


def test_the_name_of_the_processor(tmp_path):
    facts = tmp_path / "cpuinfo"
    facts.write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n\nmodel name\t: Other\n")
    assert processor_name(facts) == "Some CPU @ 3 GHz"
    assert processor_name(tmp_path / "none") == os.uname().machine


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ("fpu sse2 avx avx2 avx512f amx_tile", "avx512"),
        ("fpu sse2 avx avx2 fma", "avx2"),
        ("fpu sse2 avx", os.uname().machine),
    ],
)
def test_its_kind_is_that_of_its_widest_vectors(tmp_path, flags, kind):
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: avx512f\n")
    assert kind_of_processor(facts) == kind
    assert kind_of_processor(tmp_path / "none") == os.uname().machine
