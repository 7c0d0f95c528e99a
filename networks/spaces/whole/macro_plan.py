"""ENAS's networks placed in a plan.

Between stages the stem and every layer before go through a factorised reduction of their own, so
that all maps that a layer may join have one size.
"""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.table import OperationEntry
from blockqnn.networks.plan import Operation, Plan, PlanBuilder
from blockqnn.networks.spaces.whole.families import Kind, LayerOperation
from blockqnn.networks.spaces.whole.meaning import MacroLayer, MacroNetwork
from blockqnn.networks.spaces.whole.rules import MACRO_RULES, MacroRules
from blockqnn.networks.spaces.whole.stages import BODY, stage_of

_STAGES = 3
_POOLING = {
    Kind.AVERAGE_POOLING: Operation.AVERAGE_POOLING,
    Kind.MAX_POOLING: Operation.MAX_POOLING,
}


def stage_filters(filters: Sequence[int], rules: str) -> tuple[int, ...]:
    """C of each stage; one number is that of the first of three.

    Args:
        filters: as a layout has them.
        rules: one of `MACRO_RULES`.

    Returns:
        As many numbers as there are stages.
    """
    if len(filters) > 1:
        return tuple(filters)
    factor = 2 if MACRO_RULES[rules].doubles else 1
    return tuple(filters[0] * factor**stage for stage in range(_STAGES))


def macro_plan(
    design: MacroNetwork, layout: Layout, rules: str, body: type[Body] | None = None
) -> Plan:
    """A network from the image to the logits.

    Args:
        design: its layers.
        layout: `filters` has C of each stage, or of the first.
        rules: one of `MACRO_RULES`.
        body: what places the layers; None for those of the design alone.

    Returns:
        The plan.
    """
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), layout.image_shape)
    filters = stage_filters(layout.filters, rules)
    here = builder.convolution("stem/convolution", Operation.CONVOLUTION, 0, 3, filters[0])
    here = builder.place("stem/norm", Operation.BATCH_NORM, (here,))
    with builder.norms(scale=not layout.unscaled):
        here = (body or Body)(builder, design, filters, MACRO_RULES[rules]).place(here)
    here = builder.place("head/pooling", Operation.GLOBAL_POOLING, (here,))
    builder.place("head/linear", Operation.PRODUCT, (here,), filters=layout.classes)
    return tuple(builder.layers)


def macro_alone(design: MacroNetwork, channels: int, filters: int, rules: str) -> Plan:
    """The layers of a network, without stem and classifier.

    Args:
        design: its layers.
        channels: of the map that it reads.
        filters: C of the first stage.
        rules: one of `MACRO_RULES`.

    Returns:
        The plan, from a map to a map.
    """
    builder = PlanBuilder()
    builder.place("image", Operation.IMAGE, (), (8, 8, channels))
    # A short network has no room for all stages.
    stages = stage_filters((filters,), rules)[: len(design.layers)]
    Body(builder, design, stages, MACRO_RULES[rules]).place(0)
    return tuple(builder.layers)


class Body:
    """Places the layers."""

    def __init__(
        self,
        builder: PlanBuilder,
        design: MacroNetwork,
        filters: Sequence[int],
        rules: MacroRules,
    ):
        self._builder, self._design, self._filters, self._rules = builder, design, filters, rules

    def place(self, stem: int) -> int:
        """Places all layers; returns the position of what the last writes."""
        maps, stage = [stem], 0
        for number, layer in enumerate(self._design.layers, start=1):
            here = stage_of(number, len(self._design.layers), len(self._filters))
            if here > stage:
                stage = here
                maps = [self._reduced(f"{BODY}/reduction{stage}/map{place}", each, stage)
                        for place, each in enumerate(maps)]  # fmt: skip
            maps.append(self._layer(f"{BODY}/layer{number}", layer, maps, self._filters[stage]))
        return maps[-1]

    def _reduced(self, name: str, here: int, stage: int) -> int:
        filters = self._filters[stage]
        return self._add(name, Operation.PLAIN_FACTORISED_REDUCTION, (here,), filters=filters)

    def _layer(self, name: str, layer: MacroLayer, maps: Sequence[int], filters: int) -> int:
        own = f"{name}/{layer.operation.name}"
        if self._rules.concatenates:
            here = self._concatenated(own, layer.operation, maps[-1], filters)
        else:
            here = self._summed(own, layer.operation, maps[-1], filters)
        if len(maps) == 1:
            # The first layer joins nothing, and so has nothing behind its operation.
            return here
        read = [maps[each] for each in layer.skips]
        if self._rules.concatenates:
            if read:
                here = self._add(f"{name}/join/concat", Operation.CONCAT, (here, *read))
            return self._add(f"{name}/join/width", Operation.PCC, (here,), 1, filters)
        for place, other in enumerate(read, start=1):
            here = self._add(f"{name}/join/sum{place}", Operation.ADD, (here, other))
        return self._add(f"{name}/join/norm", Operation.BATCH_NORM, (here,))

    def _concatenated(self, name: str, operation: LayerOperation, here: int, filters: int) -> int:
        """An operation whose result is concatenated with others: ReLU first."""
        here = self._add(f"{name}/width", Operation.PCC, (here,), 1, filters)
        return self._window(f"{name}/window", operation, here, filters)

    def _summed(self, name: str, operation: LayerOperation, here: int, filters: int) -> int:
        """An operation whose result is added to others: ReLU last, but before a pooling."""
        here = self._add(f"{name}/width", Operation.CONVOLUTION, (here,), 1, filters)
        here = self._add(f"{name}/norm", Operation.BATCH_NORM, (here,))
        if operation.kind in _POOLING:
            here = self._add(f"{name}/relu", Operation.RELU, (here,))
            return self._window(f"{name}/window", operation, here, filters)
        here = self._window(f"{name}/window", operation, here, filters)
        return self._add(f"{name}/relu", Operation.RELU, (here,))

    def _window(self, name: str, operation: LayerOperation, here: int, filters: int) -> int:
        """ReLU, convolution and batch norm; or pooling."""
        if operation.kind in _POOLING:
            return self._add(name, _POOLING[operation.kind], (here,), operation.kernel)
        separates = operation.kind is Kind.SEPARABLE and self._rules.separates
        kind = Operation.SEPARABLE if separates else Operation.PCC
        return self._add(name, kind, (here,), operation.kernel, filters)

    def _add(
        self,
        name: str,
        operation: OperationEntry,
        inputs: Sequence[int],
        kernel: int = 0,
        filters: int = 0,
    ) -> int:
        return self._builder.place(name, operation, inputs, kernel=kernel, filters=filters)
