"""Drawings as text for Graphviz.

`dot` finds places of its own; `neato -n2` keeps those of the other formats.
"""

from __future__ import annotations

from blockqnn.drawing.arrangement import Arrangement, Edge, Node
from blockqnn.drawing.labels import width_text
from blockqnn.drawing.palette import COLOURS, LINE, MARKS

_SHAPES = {
    "rectangle": {"shape": "box"},
    "trapezium": {"shape": "invtrapezium"},
    "hexagon": {"shape": "hexagon"},
    "ellipse": {"shape": "ellipse"},
    "bars": {"shape": "box", "peripheries": "2"},
    "round": {"shape": "box", "style": "filled,rounded"},
}


def dot(arrangement: Arrangement, title: str = "") -> str:
    """Writes an arrangement for Graphviz.

    Args:
        arrangement: what to write.
        title: of the graph, any text.

    Returns:
        A `digraph`, in ASCII but for the title and captions.
    """
    lines = [
        f"digraph {_quoted(title or 'block')} {{",
        f"  graph [bgcolor={_quoted('transparent')}, rankdir={_quoted('TB')}];",
        f"  node [fontname={_quoted('DejaVu Sans')}, fontsize={_quoted('10.5')}];",
        f"  edge [color={_quoted(LINE)}, fontcolor={_quoted(LINE)}, fontsize={_quoted('8.5')}];",
    ]
    lines += [f"  n{node.index} {_node(node, arrangement.height)};" for node in arrangement.nodes]
    lines += [f"  n{edge.source} -> n{edge.target} {_edge(edge)};" for edge in arrangement.edges]
    for number, caption in enumerate(arrangement.captions):
        place = f"{caption.x:g},{arrangement.height - caption.y:g}"
        attributes = {"label": caption.text, "shape": "plaintext", "pos": place}
        lines.append(f"  caption{number} {_listed(attributes | {'fontcolor': LINE})};")
    return "\n".join([*lines, "}"]) + "\n"


def _node(node: Node, height: float) -> str:
    colour = COLOURS[node.kind]
    attributes = {"style": "filled,dashed" if colour.dashed else "filled"}
    attributes |= _SHAPES[colour.outline]
    label, border = node.label, colour.border
    if node.mark:
        mark = MARKS[node.mark]
        label, border = f"{'-' if mark.dashed else '+'} {label}", mark.colour
        attributes |= {"style": "filled,dashed" if mark.dashed else "filled", "penwidth": "2.6"}
    attributes |= {
        "label": label,
        "fillcolor": colour.fill,
        "color": border,
        "fontcolor": colour.text,
        "pos": f"{node.x:g},{height - node.y:g}",
        "width": f"{node.width / 72:.3g}",
        "height": f"{node.height / 72:.3g}",
    }
    return _listed(attributes)


def _edge(edge: Edge) -> str:
    attributes = {}
    if edge.channels is not None:
        attributes["label"] = width_text(edge.channels)
    if edge.mark:
        mark = MARKS[edge.mark]
        attributes |= {"color": mark.colour, "penwidth": "2.2"}
        attributes |= {"style": "dashed"} if mark.dashed else {}
    return _listed(attributes)


def _listed(attributes: dict[str, str]) -> str:
    return f"[{', '.join(f'{name}={_quoted(value)}' for name, value in attributes.items())}]"


def _quoted(text: str) -> str:
    """A quoted string of Graphviz's language; a backslash would begin an escape in a label."""
    one_line = " ".join(text.replace("\0", " ").split())
    return '"' + one_line.replace("\\", "\\\\").replace('"', '\\"') + '"'
