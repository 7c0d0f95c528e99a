"""One cell of pairs placed in a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Operation, PlanBuilder, Shape
from blockqnn.networks.spaces.pairs.codes import Cell, Pair
from blockqnn.networks.spaces.pairs.families import (
    ADD_INSTANCE_NORM,
    ADD_LAYER_NORM,
    CONCAT,
    INPUTS,
    CellOperation,
    Kind,
)
from blockqnn.networks.spaces.pairs.rules import Rules

_LAYERS = {
    Kind.CONVOLUTION: (Operation.PCC,),
    Kind.CROSSED: (Operation.CROSSED,),
    Kind.DILATED: (Operation.DILATED,),
    Kind.SEPARABLE: (Operation.SEPARABLE, Operation.SEPARABLE),
    Kind.DILATED_SEPARABLE: (Operation.DILATED_SEPARABLE,),
}
"""The layers of an operation, the first of which has its stride."""
_NARROWED: Mapping[Kind, tuple[float, tuple[OperationEntry, ...]]] = {
    Kind.CONVOLUTION: (1 / 4, (Operation.PCC,)),
    Kind.DILATED: (1 / 4, (Operation.DILATED,)),
    Kind.CROSSED: (1 / 4, (Operation.ROW, Operation.COLUMN)),
}
"""The share of the filters on which an operation works, and its layers, each with the stride."""
_SMALL_CROSS, _SMALL_CROSS_SHARE = 3, 3 / 8
"""The share of 1x3 and 3x1."""
_NORMS = {ADD_LAYER_NORM: Operation.LAYER_NORM, ADD_INSTANCE_NORM: Operation.INSTANCE_NORM}
_POOLING = {
    Kind.MAX_POOLING: Operation.MAX_POOLING,
    Kind.AVERAGE_POOLING: Operation.AVERAGE_POOLING,
}


class Placing:
    """Places one cell."""

    def __init__(
        self,
        builder: PlanBuilder,
        name: str,
        rules: Rules,
        filters: int,
        reduces: bool,
        share: float = 0.0,
    ):
        """Prepares to place.

        Args:
            builder: of the plan.
            name: that the names of all layers begin with.
            rules: what is done with the inputs, and for identities.
            filters: channels of every operation.
            reduces: whether operations on the inputs have stride 2.
            share: where in the network the cell stands, as `PlacedLayer.path` has it.
        """
        self._builder, self._name, self._rules = builder, name, rules
        self._filters, self._stride, self._share = filters, 2 if reduces else 1, share
        self._half_name = self._shared = ""
        self._given = INPUTS

    def place(self, cell: Cell, older: int | None, newer: int) -> int:
        """Places a cell.

        Args:
            cell: its nodes, and which states go out.
            older: position of the output of the cell before the last, or None where there is
                none and the newer one stands in as it is.
            newer: position of the last cell's output.

        Returns:
            The position of the output.
        """
        states = self._states(cell, [self._older(older, newer), self._newer(newer)])
        outputs = [
            self._brought_down(f"output{state}", states[state]) if state < INPUTS else states[state]
            for state in cell.outputs
        ]
        if self._rules.squeezes:
            return self._squeezed(cell.outputs, outputs)
        if len(outputs) == 1:
            return outputs[0]
        return self._add("output", Operation.CONCAT, outputs)

    def place_apart(self, cell: Cell, given: Sequence[int]) -> tuple[int, ...]:
        """Places a cell whose nodes go out each by itself.

        Args:
            cell: its nodes.
            given: positions of what it reads, all of one size.

        Returns:
            The positions of its nodes.
        """
        prepared = [self._pointwise(f"input{state}", here) for state, here in enumerate(given)]
        return tuple(self._states(cell, prepared)[len(given) :])

    def together(self, outputs: Sequence[int]) -> int:
        """One map of all that a cell alone lets out."""
        return self._add("output", Operation.CONCAT, outputs)

    def _states(self, cell: Cell, given: Sequence[int]) -> list[int]:
        """What is given, and all nodes."""
        states, self._given = list(given), len(given)
        for number, pair in enumerate(cell.nodes, start=len(given)):
            states.append(self._node(f"node{number}", pair, states))
        return states

    def _shape(self, here: int) -> Shape:
        return self._builder.layers[here].shape

    def _width(self, here: int) -> int:
        return self._shape(here)[-1]

    def _add(
        self,
        name: str,
        operation: OperationEntry,
        inputs: Sequence[int],
        kernel: int = 0,
        stride: int = 1,
        filters: int = 0,
    ) -> int:
        shared_as = ""
        if self._half_name and name.startswith(self._half_name):
            shared_as = f"{self._name}/{self._shared}{name.removeprefix(self._half_name)}"
        return self._builder.place(
            f"{self._name}/{name}",
            operation,
            inputs,
            kernel=kernel,
            stride=stride,
            filters=filters,
            shared_as=shared_as,
        )

    def _pointwise(self, name: str, here: int, stride: int = 1) -> int:
        return self._add(
            name, Operation.PCC, (here,), kernel=1, stride=stride, filters=self._filters
        )

    def _older(self, older: int | None, newer: int) -> int:
        if older is None:
            return newer
        if self._shape(older)[:2] != self._shape(newer)[:2]:
            return self._add(
                "older", Operation.FACTORISED_REDUCTION, (older,), filters=self._filters
            )
        if self._width(older) != self._filters or self._rules.prepares_older:
            return self._pointwise("older", older)
        return older

    def _newer(self, newer: int) -> int:
        if not self._rules.prepares_newer and self._width(newer) == self._filters:
            return newer
        if self._rules.adapts_newer and self._width(newer) != self._filters:
            newer = self._pointwise("newer_width", newer)
        return self._pointwise("newer", newer)

    def _node(self, name: str, pair: Pair, states: Sequence[int]) -> int:
        halves = []
        for side, (state, operation) in zip(("first", "second"), pair.halves, strict=True):
            stride = self._stride if state < self._given else 1
            self._half_name = f"{name}/{side}"
            # Which half is the first says nothing; only of two that are alike one is another.
            again = side == "second" and pair.halves[0] == pair.halves[1]
            self._shared = f"{name}/from{state}{'again' if again else ''}"
            half = self._half(self._half_name, operation, states[state], stride)
            if operation.kind is not Kind.IDENTITY or (stride > 1 and self._rules.drops_reductions):
                self._builder.end_path(half, self._share)
            halves.append(half)
        self._half_name = ""
        kind = Operation.CONCAT if pair.combination == CONCAT else Operation.ADD
        here = self._add(f"{name}/output", kind, halves)
        if pair.combination in _NORMS:
            here = self._add(f"{name}/output_norm", _NORMS[pair.combination], (here,))
        return here

    def _squeezed(self, states: Sequence[int], outputs: Sequence[int]) -> int:
        """A 1x1 convolution of all states together, each state having its own part of it."""
        parts = [self._squeezed_part(*both) for both in zip(states, outputs, strict=True)]
        here = parts[0]
        for number, part in enumerate(parts[1:], start=1):
            here = self._add(f"squeezed/sum{number}", Operation.ADD, (here, part))
        return self._add("squeezed/norm", Operation.BATCH_NORM, (here,))

    def _squeezed_part(self, state: int, here: int) -> int:
        rectified = self._add(f"squeezed{state}/relu", Operation.RELU, (here,))
        name = f"squeezed{state}/convolution"
        return self._add(name, Operation.CONVOLUTION, (rectified,), 1, filters=self._filters)

    def _half(self, name: str, operation: CellOperation, here: int, stride: int) -> int:
        if operation.kind is Kind.IDENTITY:
            return self._identity(name, here, stride)
        if operation.kind in _POOLING:
            here = self._add(
                f"{name}/pooling",
                _POOLING[operation.kind],
                (here,),
                kernel=operation.kernel,
                stride=stride,
            )
            if not self._builder.scales and self._rules.norms_pools:
                # Named for the pooling, or all poolings of an edge would share its statistics.
                here = self._add(
                    f"{name}/{operation.name}/pooling_norm", Operation.BATCH_NORM, (here,)
                )
            return self._to_width(name, here)
        if self._rules.narrows and operation.kind in _NARROWED and operation.kernel > 1:
            return self._narrowed(name, operation, here, stride)
        layers = _LAYERS[operation.kind]
        for number, layer in enumerate(layers, start=1):
            own = f"{name}/layer{number}" if len(layers) > 1 else name
            here = self._add(
                own,
                layer,
                (here,),
                kernel=operation.kernel,
                stride=stride if number == 1 else 1,
                filters=self._filters,
            )
        return here

    def _narrowed(self, name: str, operation: CellOperation, here: int, stride: int) -> int:
        """A convolution between two of 1x1 that narrow and widen."""
        share, layers = _NARROWED[operation.kind]
        if operation.kind is Kind.CROSSED and operation.kernel == _SMALL_CROSS:
            share = _SMALL_CROSS_SHARE
        between = max(1, int(self._filters * share))
        here = self._add(f"{name}/before", Operation.PCC, (here,), 1, filters=between)
        for number, layer in enumerate(layers, start=1):
            own = f"{name}/layer{number}"
            here = self._add(own, layer, (here,), operation.kernel, stride, between)
        return self._pointwise(f"{name}/after", here)

    def _identity(self, name: str, here: int, stride: int) -> int:
        if stride == 1 and self._width(here) == self._filters:
            return here
        if stride == 1 or not self._rules.factorises:
            return self._pointwise(name, here, stride)
        return self._add(name, Operation.FACTORISED_REDUCTION, (here,), filters=self._filters)

    def _to_width(self, name: str, here: int) -> int:
        if self._width(here) == self._filters:
            return here
        here = self._add(
            f"{name}/width", Operation.CONVOLUTION, (here,), kernel=1, filters=self._filters
        )
        return self._add(f"{name}/norm", Operation.BATCH_NORM, (here,))

    def _brought_down(self, name: str, here: int) -> int:
        """An input of the cell as a part of its output."""
        if self._stride > 1:
            return self._add(name, Operation.FACTORISED_REDUCTION, (here,), filters=self._filters)
        return self._to_width(name, here)
