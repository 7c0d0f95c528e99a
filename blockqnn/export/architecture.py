"""What a network's source code consists of, whatever framework it is written in.

Classes for the designs that it repeats, and a sequence of uses of them between single layers.
"""

from __future__ import annotations

import dataclasses
import functools
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence

from blockqnn.export.unit_class import UnitClass, class_of, design_class, short_name
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan import PlacedLayer, Plan
from blockqnn.networks.spaces.contract import Code, Design
from blockqnn.networks.spaces.registry import design_of, design_plan, space_of
from blockqnn.networks.units import Form, Unit, units_of

_WHOLE = "Body"
"""The class of a design that is a whole network but for what stands before and behind it."""


@dataclasses.dataclass(frozen=True)
class Use:
    """Units of one class in a row.

    Attributes:
        attribute: of the network.
        of: their class.
        units: one after the other.
        filters: of all of them.
        as_list: whether the attribute is a list of them, even if it is of one alone.
    """

    attribute: str
    of: UnitClass
    units: tuple[Unit, ...]
    filters: int
    as_list: bool


@dataclasses.dataclass(frozen=True)
class Single:
    """A layer of the network that stands for itself.

    Attributes:
        attribute: of the network, if it has arrays.
        layer: the layer.
        position: in the plan.
    """

    attribute: str
    layer: PlacedLayer
    position: int


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What the source code of a network consists of.

    Attributes:
        plan: of the network.
        design: class of the design that was searched for.
        others: further classes.
        parts: what the network calls, in order.
    """

    plan: Plan
    design: UnitClass
    others: tuple[UnitClass, ...]
    parts: tuple[Use | Single, ...]

    @property
    def whole(self) -> bool:
        """Whether the design is a whole network."""
        return self.design.name == _WHOLE

    @property
    def stages(self) -> tuple[Use, ...]:
        """Lists of designs."""
        return tuple(part for part in self.parts if isinstance(part, Use) and part.as_list)

    @functools.cached_property
    def places(self) -> dict[int, str]:
        """For each layer of the plan that can have arrays, where it is: names joined by dots."""
        found = {}
        for part in self.parts:
            if isinstance(part, Single):
                found[part.position] = part.attribute
                continue
            for number, unit in enumerate(part.units):
                place = f"{part.attribute}.{number}" if part.as_list else part.attribute
                for position, name in zip(unit.positions, part.of.attributes, strict=True):
                    found[position] = f"{place}.{name}"
        return found

    @property
    def written(self) -> Plan:
        """The layers of the plan that are written: without those that nobody reads."""
        return tuple(self.plan[position] for position in sorted(self.places))


def architecture(what: Code | Design, layout: Layout) -> Architecture:
    """Finds out what a network's source code consists of.

    Args:
        what: the design, or its code.
        layout: what stands around it.

    Returns:
        Its classes and their uses.

    Raises:
        UserError: if a design's widths are none that can be written.
    """
    meant = design_of(what) if isinstance(what, tuple) else what
    plan = design_plan(meant, layout)
    elements = units_of(plan)
    if space_of(meant).whole:
        # Its widths are its own, and nothing is repeated: the class is of what is there.
        (own,) = (element for element in elements if isinstance(element, Unit))
        design = class_of(_WHOLE, [own], same_width=False, fixed=True)
    else:
        design = design_class(meant, layout.unscaled)
    classes = {design.example.form: design}
    for form, units in _by_form(e for e in elements if isinstance(e, Unit)).items():
        if form not in classes and len(units[0].layers) > 1:
            classes[form] = class_of(_class_name(units[0]), units, same_width=False)
    parts = tuple(_parts(plan, elements, classes, design))
    used = {part.of for part in parts if isinstance(part, Use)}
    others = tuple(each for each in classes.values() if each in used and each is not design)
    return Architecture(plan, design, others, parts)


def _by_form(units: Iterable[Unit]) -> dict[Form, list[Unit]]:
    found: dict[Form, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.form, []).append(unit)
    return found


def _class_name(unit: Unit) -> str:
    words = re.findall(r"[A-Za-z]+", unit.name.rpartition("/")[2])
    return "".join(map(str.title, words)) or "Unit"


def _parts(
    plan: Plan,
    elements: Sequence[Unit | int],
    classes: dict[Form, UnitClass],
    design: UnitClass,
) -> Iterator[Use | Single]:
    flat: list[Unit | int] = []
    for element in elements:
        own = classes.get(element.form) if isinstance(element, Unit) else None
        if isinstance(element, Unit) and (own is None or own.filters_of(element) is None):
            flat += element.positions
        else:
            flat.append(element)
    singles = [plan[element] for element in flat if isinstance(element, int)]
    taken: set[str] = set()
    for run in _runs(flat, classes, design):
        if isinstance(run, int):
            layer = plan[run]
            yield Single(_unused(_single_name(layer, singles), taken), layer, run)
            continue
        of = classes[run[0].form]
        filters = of.filters_of(run[0])
        assert filters is not None, "units that do not fit were taken apart"
        stage, _, _ = run[0].name.partition("/")
        repeated = of is design and of.name != _WHOLE
        name = stage if repeated else of.name if of is design else run[0].name
        yield Use(_unused(_identifier(name), taken), of, tuple(run), filters, repeated)


def _runs(
    elements: Sequence[Unit | int], classes: dict[Form, UnitClass], design: UnitClass
) -> Iterator[list[Unit] | int]:
    """Single layers, and as many units in a row as one loop can build and call."""
    run: list[Unit] = []

    def goes_on(unit: Unit) -> bool:
        """Whether a unit is called like those of the run, behind the last of them."""
        same_stage = unit.name.partition("/")[0] == run[0].name.partition("/")[0]
        of = classes[unit.form]
        return (
            of is design
            and classes[run[0].form] is design
            and same_stage
            and unit.source == run[-1].end
            and of.filters_of(unit) == of.filters_of(run[0])
        )

    for element in elements:
        if run and not (isinstance(element, Unit) and goes_on(element)):
            yield run
            run = []
        if isinstance(element, Unit):
            run = [*run, element]
        else:
            yield element
    if run:
        yield run


def _single_name(layer: PlacedLayer, singles: Sequence[PlacedLayer]) -> str:
    group = layer.name.partition("/")[0]
    alike = [each for each in singles if each.name.partition("/")[0] == group]
    if layer.parameter_shapes and sum(bool(each.parameter_shapes) for each in alike) == 1:
        return _identifier(group)
    name = layer.name.replace("convolution", "conv")
    return _identifier(name.replace("/layer", f"/{short_name(layer)}"))


def _identifier(name: str) -> str:
    text = re.sub(r"\W+", "_", name.lower()).strip("_")
    return f"layer_{text}" if not text or text[0].isdigit() else text


def _unused(name: str, taken: set[str]) -> str:
    """The name, with underscores behind it where another part has it already."""
    while name in taken or keyword.iskeyword(name):
        name += "_"
    taken.add(name)
    return name
