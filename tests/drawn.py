"""Codes and designs drawn and compared in one call, as tests want it."""

from blockqnn.drawing import arrangement, terminal
from blockqnn.networks import matching
from blockqnn.networks.motifs import motifs
from blockqnn.networks.spaces.registry import graph_of, side_of


def arrange(what, layout=None):
    return arrangement.arrange(graph_of(what, layout))


def in_text(what, colour=False, layout=None, strokes=terminal.BOX_DRAWING, marks=None):
    return terminal.in_text(graph_of(what, layout), colour, strokes, marks)


def for_stream(what, layout, stream, marks=None):
    return terminal.for_stream(graph_of(what, layout), stream, marks)


def match(first, second):
    return matching.match(side_of(first), side_of(second))


def motifs_of(design):
    return motifs(graph_of(design))
