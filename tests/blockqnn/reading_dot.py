"""A strict reader of the part of Graphviz's language that drawings are written in."""

import re

TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|->|[A-Za-z_][A-Za-z_0-9]*|[{}\[\]=,;])', re.DOTALL)
SHAPES = {"box", "invtrapezium", "hexagon", "ellipse", "plaintext"}


def tokens(text):
    position, found = 0, []
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        assert match, text[position : position + 40]
        found.append(match[1])
        position = match.end()
    return found


def unquoted(token):
    assert token[0] == token[-1] == '"', token
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def read_dot(text):
    """The nodes by name and the edges (source, target, attributes) of a digraph."""
    head, _, opening, *rest = tokens(text)
    assert (head, opening, rest.pop()) == ("digraph", "{", "}")
    unquoted(_)
    nodes, edges = {}, []
    while rest:
        names = [rest.pop(0)]
        while rest[0] == "->":
            rest.pop(0)
            names.append(rest.pop(0))
        attributes = {}
        assert rest.pop(0) == "["
        while rest[0] != "]":
            name, equals, value = rest[:3]
            assert equals == "="
            assert name not in attributes
            attributes[name] = unquoted(value)
            del rest[:3]
            if rest[0] == ",":
                rest.pop(0)
                assert rest[0] != "]"
        assert rest[:2] == ["]", ";"]
        del rest[:2]
        if len(names) == 2:
            assert set(names) <= set(nodes), "an edge names what is no node"
            edges.append((*names, attributes))
        elif names[0] not in ("graph", "node", "edge"):
            assert names[0] not in nodes
            assert attributes["shape"] in SHAPES
            nodes[names[0]] = attributes
    return nodes, edges
