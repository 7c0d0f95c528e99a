"""Two blocks side by side, in words and figures."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Mapping
from typing import Any, TextIO

from blockqnn.inspection.block_reference import BlockReference
from blockqnn.inspection.comparison import Comparison, compare
from blockqnn.inspection.selection import layer_word
from blockqnn.inspection.show_block import design_facts, layout_in_words, writable_cost
from blockqnn.listing import in_units, wrapped_code
from blockqnn.measure import ACCURACY, PERPLEXITY, measure_of
from blockqnn.networks.graph import Graph
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, space_of, write
from blockqnn.terminal import Style, Terminal, terminal_of

_TITLES = {
    "nodes": "nodes",
    "edges": "edges",
    "density": "density",
    "leaves": "leaves",
    "depth": "depth",
    "parameters": "parameters",
    "flops": "FLOPs",
    "block_flops": "block FLOPs",
    ACCURACY.name: ACCURACY.column,
    PERPLEXITY.name: PERPLEXITY.column,
    "reward": "reward",
}
_FRACTIONS = {"density": 3, ACCURACY.name: 2, PERPLEXITY.name: 2, "reward": 2}
_LARGE = ("parameters", "flops", "block_flops")


@dataclasses.dataclass(frozen=True)
class _Side:
    """One of the two blocks.

    Attributes:
        reference: what the user named.
        layout: of its child network.
        facts: its figures as JSON.
        hash: of its canonical form.
    """

    reference: BlockReference
    layout: Layout
    facts: Mapping[str, Any]
    hash: str

    def layer_facts(self, node: int | None) -> Any:
        """A layer as JSON, None for none."""
        code = self.reference.code
        return None if node is None else space_of(code).layer_facts(code, node)


def show_comparison(
    first: BlockReference, second: BlockReference, default: Layout, as_json: bool, stream: TextIO
) -> None:
    """Prints two blocks side by side.

    Args:
        first: a block.
        second: another.
        default: layout where neither comes from a run; where one does, its
            run's layout is that of both.
        as_json: print one JSON object.
        stream: where to print.

    Raises:
        UserError: if a child network is too large.
    """
    one = _side(first, second.layout or default)
    other = _side(second, first.layout or default)
    compared = compare(first.code, second.code)
    if as_json:
        print(json.dumps(_facts(one, other, compared)), file=stream)
        return
    terminal = terminal_of(stream)
    notes = (first.notice, second.notice, first.note, second.note)
    lines = [*dict.fromkeys(filter(None, notes))]
    lines += [
        *_title("- A  ", first, Style.RED, terminal),
        *_title("+ B  ", second, Style.GREEN, terminal),
        "",
    ]
    if one.hash == other.hash:
        ways = "" if first.code == second.code else ", written in two ways"
        lines += [f"A and B are the same block{ways} (canonical form {one.hash}).", ""]
    lines += [*_figures(one, other, terminal), ""]
    if one.layout == other.layout:
        networks = [f"in a child network: {layout_in_words(one.layout)}"]
    else:
        networks = [
            f"A in a child network: {layout_in_words(one.layout)}",
            f"B in a child network: {layout_in_words(other.layout)}",
        ]
    for network in networks:
        lines += textwrap.wrap(network, terminal.width or 200, subsequent_indent="  ")
    lines.append("")
    lines += _layers(compared, terminal)
    print("\n".join(lines), file=stream)


def _title(sign: str, reference: BlockReference, style: Style, terminal: Terminal) -> list[str]:
    code = write(reference.code)
    if terminal.width is None or len(sign + reference.title + code) + 2 <= terminal.width:
        return [terminal.styled(f"{sign}{reference.title}: {code}", style)]
    lines = wrapped_code(code, terminal.width - len(sign))
    text = [f"{sign}{reference.title}:", *(" " * len(sign) + line for line in lines)]
    return [terminal.styled(line, style) for line in text]


def _side(reference: BlockReference, default: Layout) -> _Side:
    layout = reference.standing_in(default)
    design = design_of(reference.code)
    facts = design_facts(reference.code, writable_cost(design, layout))
    trial = reference.trial
    measure = measure_of(reference.code)
    kept = trial.accuracy if trial else None
    facts |= {
        measure.name: None if kept is None else measure.value(kept),
        "reward": trial and trial.measured_reward,
    }
    return _Side(reference, layout, facts, design.hash)


def _difference(name: str, one: _Side, other: _Side) -> Any:
    a, b = one.facts.get(name), other.facts.get(name)
    return None if a is None or b is None else b - a


def _facts(one: _Side, other: _Side, compared: Comparison) -> dict[str, Any]:
    sides = [
        {
            "title": side.reference.title,
            "trial": side.reference.trial and side.reference.trial.number,
            "dry": side.reference.dry,
            "layout": side.layout.as_json(),
            **side.facts,
        }
        for side in (one, other)
    ]
    return {
        "first": sides[0],
        "second": sides[1],
        "same_block": one.hash == other.hash,
        "difference": {name: _difference(name, one, other) for name in _TITLES},
        "rows": [
            {
                "first": one.layer_facts(row.first),
                "second": other.layer_facts(row.second),
                "equal": row.equal,
            }
            for row in compared.rows
        ],
    }


def _figures(one: _Side, other: _Side, terminal: Terminal) -> list[str]:
    rows: list[tuple[str, str, str, str, bool]] = []
    for name, title in _TITLES.items():
        a, b = one.facts.get(name), other.facts.get(name)
        if a is None and b is None:
            continue
        rows.append((title, _text(name, a), _text(name, b), _change(name, a, b), a != b))
    widths = [
        max(8, *(len(a) for _, a, _, _, _ in rows)),
        max(8, *(len(b) for _, _, b, _, _ in rows)),
    ]
    lines = [f"{'':13}{'A':>{widths[0]}}    {'B':>{widths[1]}}    B - A"]
    for title, a, b, change, differs in rows:
        styles = ((Style.RED,), (Style.GREEN,)) if differs else ((), ())
        signs = ("-", "+") if differs else (" ", " ")
        first = terminal.styled(f"{signs[0]}{a:>{widths[0]}}", *styles[0])
        second = terminal.styled(f"{signs[1]}{b:>{widths[1]}}", *styles[1])
        lines.append(f"{title:12}{first}   {second}    {change}".rstrip())
    return lines


def _text(name: str, value: float | int | None) -> str:
    if value is None:
        return "-"
    if name in _FRACTIONS:
        return f"{value:.{_FRACTIONS[name]}f}"
    return in_units(int(value)) if name in _LARGE else str(value)


def _change(name: str, a: float | int | None, b: float | int | None) -> str:
    if a is None or b is None or a == b:
        return ""
    sign = "+" if b > a else "-"
    text = sign + _text(name, abs(b - a))
    if name in _LARGE and a:
        # Whole numbers, since widths multiply: these may be too large for a float.
        text += f"  ({sign}{int(abs(b - a)) * 100 // int(a)} %)"
    return text


def _layers(compared: Comparison, terminal: Terminal) -> list[str]:
    cells = []
    for row in compared.rows:
        a, b = ("" if row.equal else "- "), ("" if row.equal else "+ ")
        cells.append(
            (
                _layer(row.first, compared.first, a or "  "),
                _layer(row.second, compared.second, b or "  "),
                row.equal,
            )
        )
    width = max(28, *(len(a) for a, _, _ in cells))
    lines = [terminal.styled(f"{'  A':{width}}  {'  B'}", Style.BOLD)]
    for a, b, equal in cells:
        left, right = f"{a:{width}}", b
        if not equal:
            left, right = terminal.styled(left, Style.RED), terminal.styled(b, Style.GREEN)
        lines.append(f"{left}  {right}".rstrip())
    return lines


def _layer(node: int | None, graph: Graph, sign: str) -> str:
    if node is None:
        return ""
    layer = graph.nodes[node]
    inputs = ", ".join("input" if source == 0 else str(source) for source in layer.inputs)
    leaf = "  -> output" if node in graph.outputs else ""
    return f"{sign}{node:2}  {layer_word(layer)}({inputs}){leaf}"
