"""Every text file says its encoding: no locale decides what a run, a report or an export holds."""

import ast

import pytest

from tests.paths import ROOT

SOURCES = sorted(
    path
    for folder in ("agents", "blockqnn", "flags", "networks", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
READS_TEXT = {"read_text": 0, "write_text": 1}
"""Methods of paths, and the place of their encoding among the arguments."""


def mode_of(call, place):
    """The mode that a file is opened in; None where it is no text of the program."""
    given = [k.value for k in call.keywords if k.arg == "mode"] + call.args[place : place + 1]
    if not given:
        return "r"
    return given[0].value if isinstance(given[0], ast.Constant) else None


def says_encoding(call):
    return any(k.arg in ("encoding", None) for k in call.keywords)


def opens_text(call):
    """Whether a call opens or exchanges text without saying its encoding."""
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if says_encoding(call):
        return False
    if name in READS_TEXT:
        return len(call.args) <= READS_TEXT[name]
    if name in ("open", "fdopen"):
        owner = function.value if isinstance(function, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id in ("Image", "os", "np", "gzip", "lzma"):
            place = 1
            if owner.id == "Image" or (owner.id == "os" and name == "open"):
                return False
        else:
            place = 0 if owner is not None else 1
        mode = mode_of(call, place)
        return isinstance(mode, str) and set(mode) <= set("rwax+t") and "b" not in mode
    if name in ("FileHandler", "_Log", "TextIOWrapper", "NamedTemporaryFile"):
        return name != "NamedTemporaryFile" or "b" not in (mode_of(call, 0) or "w+b")
    text = any(k.arg in ("text", "universal_newlines") for k in call.keywords)
    return text and name in ("run", "Popen", "check_output")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_says_its_encoding(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [call.lineno for call in calls if opens_text(call)]
    assert not found, f"{path}: lines {found} leave the encoding to the locale"


def test_what_would_be_found():
    for text in ("p.open('w')", "open(p)", "p.read_text()", "p.write_text(t)", "p.open()"):
        assert opens_text(ast.parse(text).body[0].value), text
    for text in (
        "p.open('wb')",
        "open(p, 'rb')",
        "p.read_text('utf-8')",
        "p.write_text(t, encoding='utf-8')",
        "Image.open(p)",
        "os.open(p, os.O_RDONLY)",
    ):
        assert not opens_text(ast.parse(text).body[0].value), text
