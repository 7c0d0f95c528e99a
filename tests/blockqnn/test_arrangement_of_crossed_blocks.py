"""Large blocks in which igraph puts two edges into one place."""

import itertools

import pytest

from blockqnn.drawing.arrangement import NODE_HEIGHT, arrange
from networks.codes import parse

CROSSED = (
    "[(1,3,3,0,0),(2,2,3,1,0),(3,4,0,0,0),(4,1,3,3,0),(5,3,1,3,0),(6,3,1,3,0),(7,4,0,1,0),"
    "(8,5,0,4,6),(9,4,0,6,0),(10,1,1,4,0),(11,6,0,3,10),(12,6,0,10,11),(13,7,0,0,0)]",
    "[(1,2,1,0,0),(2,5,0,0,1),(3,4,0,0,0),(4,3,1,2,0),(5,4,0,3,0),(6,5,0,2,4),(7,2,3,5,0),"
    "(8,4,0,6,0),(9,5,0,2,7),(10,2,3,2,0),(11,6,0,4,9),(12,3,1,9,0),(13,3,1,4,0),(14,6,0,1,4),"
    "(15,1,1,10,0),(16,7,0,0,0)]",
)


def passing(edge, y):
    """Where an edge stands at a height at which it is straight."""
    for (x, above), (_, below) in itertools.pairwise(edge.points):
        if above <= y <= below:
            return x
    return None


@pytest.mark.parametrize("code", CROSSED, ids=["12 layers", "15 layers"])
def test_edges_that_pass_a_row_stand_apart_there(code):
    found = arrange(parse(code))
    for y in {node.y for node in found.nodes}:
        places = sorted(x for edge in found.edges if (x := passing(edge, y)) is not None)
        nodes = sorted((n.x - n.width / 2, n.x + n.width / 2) for n in found.nodes if n.y == y)
        assert all(b - a > 5 for a, b in itertools.pairwise(places)), y
        assert all(not left < x < right for x in places for left, right in nodes), y
    assert all(node.height == NODE_HEIGHT for node in found.nodes)
