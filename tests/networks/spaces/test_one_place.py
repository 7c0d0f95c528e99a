"""A space is known in one place: no other source names one or asks which one it has."""

import ast
import re

import pytest

from blockqnn.networks.spaces.registry import SPACES
from tests.paths import ROOT

SOURCES = sorted(
    path
    for folder in ("agents", "blockqnn", "flags", "networks")
    for path in (ROOT / folder).glob("**/*.py")
    if not path.is_relative_to(ROOT / "networks" / "spaces")
)
# In capitals this is a word of the field, and of titles of papers.
WORDS = ("nas",)
# Networks are also executed as chains: as the name of a space this stands alone in quotes.
QUOTED = ("chain",)
PLAIN = [name for name in SPACES if name not in (*WORDS, *QUOTED)]
NAMES = re.compile(
    rf"\b((?i:{'|'.join(PLAIN)})|{'|'.join(WORDS)})\b"
    rf"|[\"'=](?:{'|'.join(QUOTED)})[\"':]"
)
CLASSES = {type(space).__name__ for space in SPACES.values()}
OPEN = {"blockqnn.networks.spaces.contract", "blockqnn.networks.spaces.registry"}
"""What others may import of `networks/spaces/`."""


def test_there_are_sources():
    assert len(SOURCES) > 150


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_space_is_named(path):
    text = path.read_text(encoding="utf-8")
    if path.is_relative_to(ROOT / "blockqnn" / "contests"):
        # A method that is called like the space in which it was published.
        assert NAMES.search(text.replace('"darts":', "")) is None
    else:
        assert NAMES.search(text) is None
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module.startswith("blockqnn.networks.spaces"):
                assert node.module in OPEN
            assert not CLASSES & {alias.name for alias in node.names}
