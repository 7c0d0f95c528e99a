"""One network of all paths, computed along one of them that is an argument.

Each way that a path may take is a branch of the program, so that nothing is compiled for a path and
little is computed that a path does not use: one `lax.switch` where a path takes one way at most,
as with the operations of an edge, and a `lax.cond` for each way where several may meet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.networks.layers import compute, compute_by_batch
from blockqnn.networks.normalisation import Arrays
from blockqnn.networks.plan import Plan
from blockqnn.supernets.branches import Way, rows_of, ways_of

Brought = tuple[jax.Array, dict[int, Arrays]]
"""A map, and what batch norms on the way to it have seen, by the positions of their layers."""


class Computing:
    """The network while it is computed once."""

    def __init__(
        self,
        network: AllPaths,
        parameters: Sequence[Arrays],
        statistics: Sequence[Arrays] | None,
        images: jax.Array,
        path: jax.Array,
    ):
        """Begins with the images.

        Args:
            network: that is computed.
            parameters: as for `AllPaths.forward`.
            statistics: likewise.
            images: likewise.
            path: likewise.
        """
        self._network, self._parameters, self._statistics = network, parameters, statistics
        self.path, self._batch, self._dtype = path, images.shape[0], images.dtype
        self.outputs: dict[int, Any] = {0: images}
        self.seen: dict[int, Arrays] = {}

    def add(self, number: int, brought: Brought) -> None:
        """Makes known what a layer has computed."""
        self.outputs[number] = brought[0]
        self.seen |= brought[1]

    def computed(self, number: int, known: Mapping[int, jax.Array] | None = None) -> Brought:
        """What a layer makes of its inputs."""
        layer, own = self._network.plan[number], self._parameters[number]
        inputs = [(known or self.outputs)[source] for source in layer.inputs]
        if self._statistics is not None:
            return compute(layer, own, self._statistics[number], inputs, training=False)[0], {}
        output, batch = compute_by_batch(layer, own, inputs, self._network.devices)
        return output, {number: batch} if batch else {}

    def mixed(self, number: int) -> Brought:
        """The sum of what the path's ways bring to a mixture."""
        row = self._network.plan[number].mixture
        first, count = self._network.rows.places[row]
        if self._network.branches and self._network.takes_one(row):
            return self._switched(number, self.path[first : first + count])
        brought: list[jax.Array] = []
        seen: dict[int, Arrays] = {}
        for place, way in enumerate(self._network.ways[number], start=first):
            along = functools.partial(self.along, way)
            if way.layers and self._network.branches:
                nothing = functools.partial(self.nothing, number, way)
                output, own = jax.lax.cond(self.path[place] > 0, along, nothing)
            else:
                output, own = along()
                output = self.path[place].astype(output.dtype).reshape(1, 1, 1, 1) * output
            brought.append(output)
            seen |= own
        return sum(brought[1:], brought[0]), seen

    def _switched(self, number: int, taken: jax.Array) -> Brought:
        """What the one way that is taken brings, or nothing."""
        ways = self._network.ways[number]
        seen: dict[int, Arrays] = {}
        for way in ways:
            zero, own = self.nothing(number, way)
            seen |= own

        def brought(way: Way | None = None) -> Brought:
            """Of all ways the same arrays, as a switch wants them."""
            output, own = (zero, seen) if way is None else self.along(way)
            return output, seen | own

        turns = jnp.arange(1, len(ways) + 1, dtype=jnp.float32)
        chosen = jnp.sum(taken * turns).astype(jnp.int32)
        return jax.lax.switch(chosen, [functools.partial(brought, way) for way in (None, *ways)])

    def along(self, way: Way) -> Brought:
        """What a way brings."""
        if not way.layers:
            return self.outputs[way.end], {}
        known = {source: self.outputs[source] for source in way.reads}
        seen: dict[int, Arrays] = {}
        for number in way.layers:
            known[number], own = self.computed(number, known)
            seen |= own
        return known[way.end], seen

    def nothing(self, number: int, way: Way) -> Brought:
        """What stands in the place of a way to a mixture that the path does not take."""
        plan = self._network.plan
        seen: dict[int, Arrays] = {}
        for here in way.layers:
            if plan[here].normalises and self._statistics is None:
                zeros = jnp.zeros(plan[here].shape[-1:], jnp.float32)
                seen[here] = {"mean": zeros, "variance": zeros}
        return jnp.zeros((self._batch, *plan[number].shape), self._dtype), seen


class AllPaths:
    """The plan of all paths, as a function of weights, images and a path."""

    def __init__(
        self,
        plan: Plan,
        takes_one: Callable[[str], bool],
        devices: str | None = None,
        branches: bool = True,
    ):
        """Looks at what depends on what.

        Args:
            plan: of all paths.
            takes_one: whether a path takes one way at most at the mixtures of a row.
            devices: as for `blockqnn.networks.layers.compute_by_batch`.
            branches: compute what a path takes alone; else all ways, of which those that it does
                not take are multiplied by zero.
        """
        self.plan, self.takes_one = plan, takes_one
        self.devices, self.branches = devices, branches
        self.rows, self.ways = rows_of(plan), ways_of(plan)
        self._chosen = {here for ways in self.ways.values() for way in ways for here in way.layers}
        # What stands on a way in any of the cells that share a row.
        self._holding: dict[int, list[int]] = {}
        for number, ways in self.ways.items():
            first, _ = self.rows.places[plan[number].mixture]
            for place, way in enumerate(ways, start=first):
                layers = [h for h in way.layers if plan[h].parameter_shapes or plan[h].normalises]
                self._holding.setdefault(place, []).extend(layers)
        self._holding = {place: layers for place, layers in self._holding.items() if layers}

    def vector(self, path: Mapping[str, Sequence[int]], used: np.ndarray) -> np.ndarray:
        """A path as the program takes it.

        Args:
            path: as a space describes it (`Sharing.path`).
            used: bool [layers], those whose arrays or statistics the design has.

        Returns:
            float32 [rows.size], without ways to what nobody reads.
        """
        found = np.zeros(self.rows.size, np.float32)
        for name, (first, count) in self.rows.places.items():
            found[first : first + count] = path[name]
        for place, layers in self._holding.items():
            if not used[layers].any():
                found[place] = 0
        return found

    def forward(
        self,
        parameters: Sequence[Arrays],
        statistics: Sequence[Arrays] | None,
        images: jax.Array,
        path: jax.Array,
    ) -> Brought:
        """Computes the network along a path.

        Args:
            parameters: for each layer its trained arrays.
            statistics: of batch norms for each layer; None for those of the batch.
            images: [B, H, W, C], normalised.
            path: float32 [rows.size], 1 where the path goes and 0 elsewhere.

        Returns:
            Logits [B, classes]; and, where the batch's statistics are used, these: zeros for what
            the path does not compute.
        """
        run = Computing(self, parameters, statistics, images, path)
        for number, layer in enumerate(self.plan):
            if number and number not in self._chosen:
                run.add(number, run.mixed(number) if layer.mixture else run.computed(number))
        return run.outputs[len(self.plan) - 1], run.seen
