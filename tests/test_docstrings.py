"""Docstrings name what is really there: every argument, every field, what is returned."""

import ast
import re

import pytest

from tests.paths import ROOT
from tests.test_layering import MODULES

SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises):$", re.MULTILINE)


def sections(docstring):
    """The text of each section of a docstring in Google's style."""
    parts = SECTION.split(docstring)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(section):
    """The names that a section lists."""
    return re.findall(r"^    \*{0,2}(\w+): ", section, re.MULTILINE)


def documented(module):
    """The functions and classes of a module that have a docstring, by name."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node, docstring


def parameters(function):
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    return [argument.arg for argument in names if argument.arg not in ("self", "cls")]


def fields(class_):
    return [
        statement.target.id
        for statement in class_.body
        if isinstance(statement, ast.AnnAssign)
        and not statement.target.id.startswith("_")
        # What all of a class have in common says for itself what it is.
        and not ast.unparse(statement.annotation).startswith("ClassVar")
    ]


@pytest.mark.parametrize("path", MODULES.values(), ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_name_what_is_there(path):
    for node, docstring in documented(ast.parse(path.read_text())):
        found = sections(docstring)
        where = f"{path.name}: {node.name}"
        if "Args" in found:
            assert entries(found["Args"]) == parameters(node), where
            returns = node.returns
            nothing = returns is None or (isinstance(returns, ast.Constant) and not returns.value)
            if node.name != "__init__" and not nothing:
                assert {"Returns", "Yields"} & set(found), where
        if "Attributes" in found:
            assert entries(found["Attributes"]) == fields(node), where
        for name, text in found.items():
            assert text.strip(), f"{where} has nothing under {name}"


def test_every_module_says_what_it_is():
    for path in MODULES.values():
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring, path
        assert docstring.splitlines()[0].endswith((".", ":", "?", "`")), path
