"""Exact canonical labelling of small directed acyclic multigraphs.

Individualisation and refinement with pruning by automorphisms, as in McKay and
Piperno, "Practical graph isomorphism, II", 2014. Colours are refined until
nodes of one colour look alike; where a colour still holds several nodes, each
is singled out in turn and the search goes on. Of all the complete orders that
are found, the one with the least encoding is canonical.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Encoding = tuple[tuple[object, ...], tuple[int, ...]]


def canonical_order(
    labels: Sequence[tuple[int, ...]],
    inputs: Sequence[Sequence[int]],
    outputs: Sequence[int],
) -> tuple[int, ...]:
    """Orders the nodes of a graph in a way that depends on its structure alone.

    Args:
        labels: label of each node, nodes being 1, 2, ...; node 0 is the source.
        inputs: for each node the nodes that it reads, with repetitions and in
            no particular order; each is 0 or an earlier node.
        outputs: the nodes that are outputs, with repetitions.

    Returns:
        The nodes 1, 2, ... in canonical order, which is also topological.
        Relabelled by it, two graphs are equal if and only if they are isomorphic.
    """
    return _Search(labels, inputs, outputs).run()


class _Search:
    """One search. Node 0, the source, is always alone in its colour."""

    def __init__(
        self,
        labels: Sequence[tuple[int, ...]],
        inputs: Sequence[Sequence[int]],
        outputs: Sequence[int],
    ):
        self.size = len(labels) + 1
        self.labels = [(), *labels]
        self.inputs: list[Sequence[int]] = [(), *inputs]
        self.outputs = outputs
        self.readers: list[list[int]] = [[] for _ in range(self.size)]
        depth = [0] * self.size
        for node in range(1, self.size):
            for source in self.inputs[node]:
                self.readers[source].append(node)
                depth[node] = max(depth[node], depth[source] + 1)
        # Depth comes first, so that every refinement keeps a topological order.
        self.start = _ranks(
            [(depth[n], self.labels[n], outputs.count(n)) for n in range(self.size)]
        )
        # Every complete order met: its encoding, the choices that led to it, itself.
        self.seen: dict[Encoding, tuple[tuple[int, ...], list[int]]] = {}
        self.automorphisms: list[list[int]] = []

    def run(self) -> tuple[int, ...]:
        self.explore(self.start, ())
        _, order = self.seen[min(self.seen)]
        return tuple(order[1:])

    def explore(self, colours: list[int], chosen: tuple[int, ...]) -> int | None:
        """Searches below one node of the search tree.

        Returns:
            None, or how many choices to keep: what hangs below the next one
            has been found to mirror what was searched before.
        """
        colours = self.refine(colours)
        cell = _first_smallest_cell(colours)
        if not cell:
            return self.complete(colours, chosen)
        searched: list[int] = []
        for node in cell:
            if searched and self.mirrored(node, searched, chosen):
                continue
            single = [2 * colour + 1 for colour in colours]
            single[node] -= 1
            keep = self.explore(single, (*chosen, node))
            if keep is not None and keep < len(chosen):
                return keep
            searched.append(node)
        return None

    def refine(self, colours: list[int]) -> list[int]:
        """Splits colours by those of inputs and readers until nothing splits."""
        count = len(set(colours))
        while True:
            colours = _ranks(
                [
                    (
                        colours[node],
                        sorted([colours[n] for n in self.inputs[node]]),
                        sorted([colours[n] for n in self.readers[node]]),
                    )
                    for node in range(self.size)
                ]
            )
            if max(colours) + 1 == count:
                return colours
            count = max(colours) + 1

    def complete(self, colours: list[int], chosen: tuple[int, ...]) -> int | None:
        """Records a complete order, or the automorphism that it reveals."""
        order = sorted(range(self.size), key=colours.__getitem__)
        encoding: Encoding = (
            tuple(
                (self.labels[n], tuple(sorted([colours[i] for i in self.inputs[n]]))) for n in order
            ),
            tuple(sorted([colours[n] for n in self.outputs])),
        )
        if encoding not in self.seen:
            self.seen[encoding] = (chosen, order)
            return None
        earlier, earlier_order = self.seen[encoding]
        image = [0] * self.size
        for source, target in zip(earlier_order, order, strict=True):
            image[source] = target
        self.automorphisms.append(image)
        shared = 0
        while chosen[shared] == earlier[shared]:
            shared += 1
        return shared

    def mirrored(self, node: int, searched: list[int], chosen: tuple[int, ...]) -> bool:
        """Whether known automorphisms that keep the choices map `node` to a searched one."""
        useful = [a for a in self.automorphisms if all(a[n] == n for n in chosen)]
        orbit, frontier = {node}, [node]
        while frontier:
            here = frontier.pop()
            for image in useful:
                # An orbit of a finite group is reached by going forward alone.
                if image[here] not in orbit:
                    orbit.add(image[here])
                    frontier.append(image[here])
        return not orbit.isdisjoint(searched)


def _ranks(keys: list) -> list[int]:
    """Replaces keys by their ranks, equal keys by equal ranks."""
    rank: list[int] = [0] * len(keys)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    current = 0
    for before, here in itertools.pairwise(order):
        current += keys[here] != keys[before]
        rank[here] = current
    return rank


def _first_smallest_cell(colours: list[int]) -> list[int]:
    """The nodes of the least frequent colour that several share, or nothing."""
    cells: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        cells.setdefault(colour, []).append(node)
    shared = [(len(cell), colour) for colour, cell in cells.items() if len(cell) > 1]
    return cells[min(shared)[1]] if shared else []
