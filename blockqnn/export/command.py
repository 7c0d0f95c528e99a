"""The verb `export`: a network as a folder that others can use without the project."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from blockqnn.errors import UserError
from blockqnn.export.description import describe
from blockqnn.export.subject import Subject, find_subject
from blockqnn.inspection.block_reference import BEST, is_run, resolve
from blockqnn.language_settings import has_model
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import is_code, published, space_of, write
from blockqnn.runs.store import FILE_NAME as STORE_FILE

if TYPE_CHECKING:
    from blockqnn.export.cell_command import CellSubject

SOURCE, WEIGHTS, ORBAX = "network.py", "weights.safetensors", "weights.orbax"
FORWARD, ONNX = "network.stablehlo", "network.onnx"
DESCRIPTION, README = "network.json", "README.md"

FRAMEWORKS = {
    "flax": {
        README: "how each of these is loaded, and how the {unit} is used",
        SOURCE: "the {unit} and the network in plain Flax NNX",
        WEIGHTS: "the weights",
        ORBAX: "the same weights as an Orbax checkpoint",
        FORWARD: "images to logits as StableHLO, for any batch size",
        DESCRIPTION: "{unit}, layout, layers, normalisation, training",
    },
    "torch": {
        README: "how each of these is loaded, and how the {unit} is used",
        SOURCE: "the {unit} and the network in plain PyTorch",
        WEIGHTS: "the weights, a state_dict",
        DESCRIPTION: "{unit}, layout, layers, normalisation, training",
    },
    "onnx": {
        README: "how it is loaded",
        ONNX: "images to logits, for any batch size",
        DESCRIPTION: "{unit}, layout, layers, normalisation, training",
    },
}
"""For each framework what its folder holds, in words with `{unit}`."""


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """What to export.

    Attributes:
        reference: a checkpoint, a training's directory, a run, one of its trials,
            or a block.
        to: the folder to make.
        framework: one of `FRAMEWORKS`.
        fresh_weights: whether initial weights take the place of trained ones.
        seed: of initial weights.
        layout: for a block that no run gives a layout.
        max_layers: most layers of a code, Terminal not counted.
    """

    reference: str
    to: pathlib.Path
    framework: str
    fresh_weights: bool
    seed: int
    layout: Layout
    max_layers: int


def export(settings: ExportSettings, stream: TextIO) -> None:
    """Writes a network into a new folder.

    Args:
        settings: which network, and where to.
        stream: where to say what was written.

    Raises:
        UserError: if there is no such network, or the folder cannot be written.
        CodeError: if a code breaks a rule.
    """
    _refuse_taken(settings.to)
    cell = find_cell(settings)
    if cell is not None:
        from blockqnn.export import cell_command

        with _appearing(settings.to) as folder:
            cell_command.write_cell(cell, folder, settings.framework)
        cell_command.in_words(cell, settings.to, stream)
        return
    subject = find_subject(
        settings.reference,
        settings.layout,
        settings.fresh_weights,
        settings.seed,
        settings.max_layers,
    )
    if settings.framework == "onnx":
        from blockqnn.export.onnx_file import refuse_without_converter

        refuse_without_converter()
    with _appearing(settings.to) as folder:
        write_export(subject, folder, settings.framework)
    # It comes from a file, and may hold what a terminal obeys.
    title = subject.title if subject.title.isprintable() else ascii(subject.title)
    print(f"{title}: {write(subject.code)}", file=stream)
    if subject.note:
        print(subject.note, file=stream)
    if subject.training is None:
        print("NOT TRAINED: the weights are initial ones.", file=stream)
    else:
        print(f"Trained for {subject.training['epochs']} epochs.", file=stream)
    contents = FRAMEWORKS[settings.framework]
    width = max(map(len, contents))
    print(f"\nWrote {settings.to}:", file=stream)
    for name, what in contents.items():
        print(f"  {name:{width}}  {what.format(unit=space_of(subject.code).unit)}", file=stream)


def find_cell(settings: ExportSettings) -> CellSubject | None:
    """The language model that a user means; None where it is another network.

    Args:
        settings: which network.

    Returns:
        The model.

    Raises:
        UserError: if it cannot be read.
        CodeError: if a code breaks a rule.
    """
    path, reference = pathlib.Path(settings.reference), settings.reference
    if has_model(path):
        from blockqnn.export.cell_command import trained_subject

        return trained_subject(path, settings.fresh_weights, settings.seed)
    if is_run(reference) and (path / STORE_FILE).exists():
        reference = f"{reference}#{BEST}"
    elif not (reference in published() or "#" in reference or is_code(reference)):
        return None
    found = resolve(reference, settings.max_layers)
    layout = found.standing_in(settings.layout)
    if not layout.of_words:
        return None
    from blockqnn.export.cell_command import CellSubject

    return CellSubject(found.title, found.code, layout, None, settings.seed)


def write_export(subject: Subject, folder: pathlib.Path, framework: str) -> None:
    """Writes all files of an export.

    Args:
        subject: the network.
        folder: an empty one.
        framework: one of `FRAMEWORKS`.

    Raises:
        UserError: if the framework's source code cannot say what the network computes.
    """
    from blockqnn.export.architecture import architecture
    from blockqnn.export.flax_forms import FLAX
    from blockqnn.export.readme import readme
    from blockqnn.export.source import source_code
    from blockqnn.export.torch_forms import TORCH
    from blockqnn.export.weights import as_tree, named_weights, write_orbax, write_safetensors

    parts = architecture(subject.design, subject.layout)
    dialect = FLAX if framework == "flax" else TORCH
    weights = named_weights(parts, subject.parameters, subject.statistics, dialect)
    source = source_code(subject, parts, dialect)
    if framework == "onnx":
        from blockqnn.export.onnx_file import write_onnx

        write_onnx(folder / ONNX, subject, source, weights)
    else:
        (folder / SOURCE).write_text(source, encoding="utf-8")
        write_safetensors(folder / WEIGHTS, weights)
    if framework == "flax":
        from blockqnn.export.forward import export_forward

        write_orbax(folder / ORBAX, as_tree(weights))
        (folder / FORWARD).write_bytes(export_forward(subject))
    facts = _as_text(_finite(describe(subject, parts)))
    (folder / DESCRIPTION).write_text(facts, encoding="utf-8")
    (folder / README).write_text(readme(subject, parts, framework), encoding="utf-8")


def _refuse_taken(path: pathlib.Path) -> None:
    try:
        taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    if taken:
        raise UserError(f"--to {path} exists already and is not an empty folder; name another one.")


@contextlib.contextmanager
def _appearing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder that gets its name when all of it has been written, or is removed."""
    unfinished = path.absolute().with_name(f".{path.absolute().name}.{os.getpid()}")
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir()
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield unfinished
        unfinished.rename(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _cannot_write(path: pathlib.Path, error: Exception) -> UserError:
    return UserError(f"--to {path} cannot be written: {getattr(error, 'strerror', None) or error}.")


def _as_text(facts: dict[str, Any]) -> str:
    """JSON with a line for each entry, and for each layer."""
    lines = []
    for name, value in facts.items():
        text = json.dumps(value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n ]"
        lines.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _finite(value: Any) -> Any:
    """JSON knows no infinity and no NaN."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value
