"""A network as source code that a person would write, and that needs nothing of the project."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from blockqnn.export.architecture import Architecture, Use
from blockqnn.export.forms import Dialect, SourceForm
from blockqnn.export.literals import background_of, numbers, strings
from blockqnn.export.statements import WIDTH, call, statement
from blockqnn.export.subject import Subject
from blockqnn.export.unit_class import UnitClass
from blockqnn.export.unit_drawing import unit_drawing
from blockqnn.networks.operations.steps import is_oblong, padding_of, strides_of, window_of
from blockqnn.networks.plan import PlacedLayer
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import space_of, write

IMAGE_MODES = {1: "L", 3: "RGB"}
"""Pillow's modes by the channels of an image."""


def source_code(subject: Subject, parts: Architecture, dialect: Dialect) -> str:
    """Writes a network as a Python file.

    Args:
        subject: the network.
        parts: what its source code consists of.
        dialect: of the framework.

    Returns:
        The source: constants, `normalise`, `load`, a class for each design and the class
        `Network`, which uses them.

    Raises:
        UserError: if the framework's dialect does not know an operation.
    """
    writer = _Writer(subject, parts, dialect)
    return "".join(writer.file())


class _Writer:
    """Writes the parts of the file."""

    def __init__(self, subject: Subject, parts: Architecture, dialect: Dialect):
        self._subject, self._parts, self._dialect = subject, parts, dialect
        self._unit = space_of(subject.code).unit
        self._helpers: set[str] = set()

    def file(self) -> Iterator[str]:
        """The file, piece by piece."""
        # What is written tells which helpers it needs.
        classes = [self._unit_class(each) for each in (self._parts.design, *self._parts.others)]
        network = self._network()
        yield self._head()
        mode = IMAGE_MODES.get(self._subject.layout.channels)
        if mode:
            yield self._dialect.read_image.format(
                mode=mode, background=background_of(self._subject.training)
            )
        yield self._dialect.load.replace("PIXELS", self._pixels())
        for name, text in self._dialect.helpers.items():
            if name in self._helpers:
                yield text
        yield from classes
        if self._parts.stages:
            yield self._stage()
        yield network

    def _head(self) -> str:
        layout, design = self._subject.layout, self._parts.design
        number = sum(len(use.units) for use in self._parts.stages)
        of = "" if self._parts.whole else f" of {number} {self._unit}{'s' * (number != 1)}"
        origin = f"Its {self._unit} was designed by blockqnn, and its weights were trained."
        if self._subject.training is None:
            origin = (
                f"Its {self._unit} was designed by blockqnn. Its weights are initial ones, not "
                "trained; MEAN and DEVIATION stand for those of your images."
            )
        comma = ", " if self._dialect.rngs else ""
        rngs = "rngs=nnx.Rngs(0)" if self._dialect.rngs else ""
        classes = (
            f"`{design.name}({example_arguments(design)}{comma}{rngs})` is the {self._unit} alone, "
            f"for a network of your own, and `Network({rngs})` the whole network, both with new "
            "weights and in training mode."
        )
        return self._dialect.head.format(
            title=f"A convolutional network{of} in {self._dialect.name}.",
            origin=textwrap.fill(origin, WIDTH),
            classes_text=textwrap.fill(classes, WIDTH, break_on_hyphens=False),
            pixels=self._pixels(),
            classes=layout.classes,
            shape=", ".join(map(str, layout.image_shape)),
            class_names=strings(self._subject.class_names),
            mean=numbers(self._subject.mean),
            deviation=numbers(self._subject.deviation),
        )

    def _pixels(self) -> str:
        """The axes of images."""
        height, width, channels = self._subject.layout.image_shape
        return self._dialect.axes.format(height=height, width=width, channels=channels)

    def _unit_class(self, of: UnitClass) -> str:
        dialect, unit = self._dialect, of.example
        read, written = (
            dialect.axes.format(height="H", width="W", channels=channels)
            for channels in ("channels", "out_channels")
        )
        lines = [f"class {of.name}({dialect.module}):"]
        lines += [f'    """From a map {read} to a map {written}.', ""]
        if of is self._parts.design:
            lines += [f"    {line}" for line in wrapped_code(self._subject.code, WIDTH - 4)]
            lines.append("")
        lines += [f"        {line}" for line in unit_drawing(of).splitlines()]
        lines += ["", "    Args:", "        channels: of the map that it reads."]
        if of.takes_filters:
            lines.append("        filters: channels of its convolutions.")
        if dialect.rngs:
            lines.append("        rngs: source of the initial weights.")
        lines += ['    """', ""]
        parameters = ["self", *_parameters(of), dialect.rngs_parameter]
        lines.append(f"    def __init__({', '.join(filter(None, parameters))}):")
        lines += [f"        {dialect.begin}"] * bool(dialect.begin)
        for place, (layer, inputs) in enumerate(zip(unit.layers, unit.inputs, strict=True), 1):
            lines += self._made(
                layer,
                of.attributes[place - 1],
                str(of.widths[inputs[0]]),
                str(of.widths[place]),
            )
        lines += [f"        self.out_channels = {of.out_channels}", ""]
        lines.append(f"    def {dialect.forward}(self, x: {dialect.array}) -> {dialect.array}:")
        names = ["x", *of.attributes]
        for place, (layer, inputs) in enumerate(zip(unit.layers, unit.inputs, strict=True), 1):
            target = "return" if place == unit.output else f"{names[place]} ="
            even = len({of.widths[i] for i in inputs}) == 1
            read_names = [names[i] for i in inputs]
            lines += self._call(target, layer, of.attributes[place - 1], read_names, even)
        if not unit.output:
            lines.append("        return x")
        return "\n\n" + "\n".join(lines) + "\n"

    def _stage(self) -> str:
        design = self._parts.design
        units = f"{self._unit.replace(' ', '_')}s"
        return self._dialect.stage.format(
            parameters=", ".join(_parameters(design)),
            arguments=", ".join(text.partition(":")[0] for text in _parameters(design)),
            units=units,
            Units=units.capitalize(),
            Unit=design.name,
        )

    def _network(self) -> str:
        dialect = self._dialect
        images = self._pixels()
        parameters = ["self", "classes: int = CLASSES", dialect.rngs_parameter]
        lines = [
            f"class Network({dialect.module}):",
            f'    """From normalised images {images} to logits [B, classes]."""',
            "",
            f"    def __init__({', '.join(filter(None, parameters))}):",
        ]
        lines += [f"        {dialect.begin}"] * bool(dialect.begin)
        lines += self._network_attributes()
        lines += [
            "",
            f"    def {dialect.forward}(self, images: {dialect.array}) -> {dialect.array}:",
        ]
        lines += self._network_calls()
        return "\n\n" + "\n".join(lines) + "\n"

    def _network_attributes(self) -> Iterator[str]:
        plan = self._parts.plan
        channels = {0: "CHANNELS"}
        for part in self._parts.parts:
            if isinstance(part, Use):
                first, last = part.units[0], part.units[-1]
                filters = [f"filters={part.filters}"] * part.of.takes_filters
                if part.as_list:
                    number = f"{self._unit.replace(' ', '_')}s={len(part.units)}"
                    arguments = [channels[first.source], *filters, number]
                    made, index = "stage", "[-1]"
                else:
                    arguments = [channels[first.source], *filters]
                    made, index = part.of.name, ""
                arguments += [self._dialect.rngs] * bool(self._dialect.rngs)
                yield from call(f"self.{part.attribute} = {made}(", arguments, ")")
                channels[last.end] = f"self.{part.attribute}{index}.out_channels"
                continue
            layer = part.layer
            outputs = "classes" if layer is plan[-1] else str(layer.shape[-1])
            read = channels[layer.inputs[0]]
            yield from self._made(layer, part.attribute, read, outputs)
            same = layer.shape[-1] == plan[layer.inputs[0]].shape[-1] and len(layer.inputs) == 1
            channels[part.position] = read if same else outputs

    def _network_calls(self) -> Iterator[str]:
        names = self._names()
        for part in self._parts.parts:
            if isinstance(part, Use):
                x, end = names[part.units[0].source], names[part.units[-1].end]
                if part.as_list:
                    if x != end:
                        yield f"        {end} = {x}"
                    for text in self._dialect.use:
                        line = text.format(stage=f"self.{part.attribute}", x=end, unit=self._unit)
                        yield f"        {line}"
                else:
                    yield f"        {end} = self.{part.attribute}({x})"
                continue
            layer = part.layer
            last = layer is self._parts.plan[-1]
            target = "return" if last else f"{names[part.position]} ="
            inputs = [names[i] for i in layer.inputs]
            even = len(set(layer.input_shapes)) == 1
            yield from self._call(target, layer, part.attribute, inputs, even)

    def _names(self) -> Mapping[int, str]:
        """What each map of the network is called: x, where each is read by the next alone."""
        ends, chained = {0: "images"}, True
        here = 0
        for part in self._parts.parts:
            use = isinstance(part, Use)
            inputs = (part.units[0].source,) if isinstance(part, Use) else part.layer.inputs
            end = part.units[-1].end if isinstance(part, Use) else part.position
            chained = chained and inputs == (here,)
            here = end
            if end not in ends:
                ends[end] = f"{part.attribute}_map" if use else part.attribute
        return {end: "x" if end and chained else name for end, name in ends.items()}

    def _made(self, layer: PlacedLayer, attribute: str, inputs: str, outputs: str) -> Iterator[str]:
        """The statement that makes a layer's attribute, where it has one."""
        form = self._dialect.form(layer)
        if not form.constructor:
            return
        written = form.oblong if is_oblong(layer) else form.constructor
        self._need(_helpers(layer, form))
        text = written.format(
            inputs=inputs,
            outputs=outputs,
            kernel=layer.kernel,
            stride=f", stride={layer.stride}" if layer.stride > 1 else "",
            step=layer.stride,
            size=window_of(layer),
            strides=strides_of(layer),
            padding=padding_of(layer),
        )
        yield from statement(f"self.{attribute} = {text}")

    def _call(
        self, target: str, layer: PlacedLayer, attribute: str, inputs: Sequence[str], even: bool
    ) -> Iterator[str]:
        """The statement that computes a layer."""
        form = self._dialect.form(layer)
        self._need(_helpers(layer, form))
        text = form.call
        if form.uneven and not even:
            text = form.uneven
            self._need(form.uneven_helpers)
        written = text.format(
            layer=f"self.{attribute}",
            x=inputs[0],
            y=inputs[-1],
            inputs=", ".join(inputs),
            kernel=layer.kernel,
            half=layer.kernel // 2,
            stride=f", stride={layer.stride}" if layer.stride > 1 else "",
        )
        yield from statement(f"{target} {written}")

    def _need(self, helpers: Sequence[str]) -> None:
        for name in helpers:
            self._helpers.add(name)
            self._need(self._dialect.needs.get(name, ()))


def _helpers(layer: PlacedLayer, form: SourceForm) -> Sequence[str]:
    return form.oblong_helpers if is_oblong(layer) else form.helpers


def wrapped_code(code: Code, width: int) -> list[str]:
    """A code as lines that end between its decisions."""
    text = write(code).replace("),(", "), (")
    if len(text) > width and " " not in text:
        text = text.replace("+", "+ ")
    return textwrap.wrap(text, width, break_on_hyphens=False)


def example_arguments(of: UnitClass) -> str:
    """Arguments with which a class can be tried, as in `channels=64, filters=64`."""
    return ", ".join(f"{text.partition(':')[0]}=64" for text in _parameters(of))


def _parameters(of: UnitClass) -> list[str]:
    return ["channels: int", *["filters: int"] * of.takes_filters]
