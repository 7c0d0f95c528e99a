"""What the flags of `train` begin with: the data of the block's run, and a preset that suits them.

In order, each overriding those before it: the preset, what the run of the block says
of its data, or what the training says that is to go on, and the command line.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TRAIN
from blockqnn.flags import data as data_flags
from blockqnn.flags import preset_files, search
from blockqnn.flags.parsing import FlagSet
from blockqnn.full_training import directory
from blockqnn.full_training.heading import has_accelerator
from blockqnn.full_training.own_recipe import own_recipe
from blockqnn.full_training.parts import judge_of, training_examples
from blockqnn.full_training.preparing import place_of, place_of_code
from blockqnn.full_training.searched import data_digest
from blockqnn.full_training.settings import FullData, SearchedData
from blockqnn.full_training.splits import describe_full
from blockqnn.inspection.block_reference import BlockReference, is_run, resolve
from blockqnn.invocation import command
from blockqnn.networks.spaces.contract import Code
from blockqnn.runs.run_directory import FLAG_FILE
from blockqnn.runs.run_record import RunRecord, read_run

OWN = "train_own"
_RECIPES = (OWN, "train_modern")
"""Presets that say how to train, and leave it to the block's run on what."""

_OF_DATA = (
    *("dataset", "resize", "background", "class_folders", "skip_folders"),
    "split_seed",
)
"""Flags by which a run says what its data are."""


@dataclasses.dataclass(frozen=True)
class Start:
    """What the command line of a training does not say by itself.

    Attributes:
        preset: its name.
        before: flags that the command line overrides, but not the preset's.
        after: flags that override the command line.
        name: of preset or data, for the directory.
        origin: who has said which data, in words.
        searched: the data of the block's run; None where no run is named.
        goes_on: whether the flags are those of a training that goes on.
        named: values that the command line gives, by flag.
    """

    preset: str
    before: list[str]
    after: list[str]
    name: str
    origin: str
    searched: SearchedData | None
    goes_on: bool
    named: Mapping[str, Any]


_BEFORE_THERE_WERE = {"clip_norm": "0"}
"""What trainings did that are older than a flag."""


def start(define: Callable[[], FlagSet], arguments: Sequence[str]) -> Start:
    """Looks the block and its run up, and chooses what was not named.

    Args:
        define: makes the flags of `train`.
        arguments: what follows `train`.

    Returns:
        What to begin with.

    Raises:
        UserError: if a flag, the block or its run cannot be used.
        CodeError: if a code breaks a rule.
    """
    probe = define()
    words = probe.parse(define().expanded(arguments))
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"train takes one BLOCK or RUN_DIR, given {given!r}. See: {command('train', '--help')}"
        )
    named = {name: probe.values[name].value for name in probe.values if probe.values[name].present}
    record, code = _looked_up(words[0], probe.chosen()["max_layers"])
    searched = None if record is None else searched_data(record)
    preset, of_data, origin = _choose(named, record, searched)
    dataset = str(named.get("dataset") or _said(of_data, preset))
    name = _name(preset, dataset)
    before, after = [f"--preset={preset}", *of_data], []
    record_file, out_dir = _begun(arguments, named, name, code)
    if record_file is not None and "preset" not in named:
        known = _lines(record_file)
        before += [f"--{n}={v}" for n, v in _BEFORE_THERE_WERE.items() if n not in known]
        before.append(f"--flagfile={record_file}")
        origin = origin if "dataset" in named else "those with which the training was begun"
    if out_dir is not None:
        after.append(f"--out_dir={out_dir}")
    return Start(preset, before, after, name, origin, searched, record_file is not None, named)


def suited(begin: Start, data: FullData) -> list[str]:
    """The recipe for data that no preset is made for.

    Args:
        begin: what to begin with; epochs and batch that were named stay.
        data: the images.

    Returns:
        Flags.

    Raises:
        UserError: if the data cannot be used.
    """
    info = describe_full(data)
    examples = training_examples(data, info, judge_of(data, info))
    epochs, batch_size = (begin.named.get(name, 0) for name in ("epochs", "batch_size"))
    return own_recipe(examples, info.seen, has_accelerator(), epochs, batch_size).flags()


def searched_data(record: RunRecord) -> SearchedData:
    """What a run says of its data; the name of the data is empty where it names none."""
    said, known = record.flags, record.data or {}
    flags = search.define()
    flags.parse([f"--{name}={said[name]}" for name in _OF_DATA if name in said])
    source = data_flags.data_settings(flags.chosen())
    return SearchedData(
        run=record.path,
        source=dataclasses.replace(
            source,
            dataset=said.get("dataset", ""),
            data_dir=_lines(record.path / FLAG_FILE).get("data_dir", ""),
            # Runs of earlier versions, which kept nothing, held images out.
            own_validation=bool(known.get("validation")),
        ),
        evaluator=said.get("evaluator", TRAIN),
        digest=str(known.get("digest", "")),
    )


def _looked_up(reference: str, max_layers: int) -> tuple[RunRecord | None, Code | None]:
    """The run of a block, if it is of one, and its code; None where a run has no best one."""
    if not is_run(reference):
        found: BlockReference = resolve(reference, max_layers)
        return found.run, found.code
    record = read_run(pathlib.Path(reference))
    best = record.best(1)
    return record, best[0].code if best else None


def _choose(
    named: Mapping[str, Any], record: RunRecord | None, searched: SearchedData | None
) -> tuple[str, list[str], str]:
    """The preset, the flags of the run's data, and who has said which data."""
    asked = str(named.get("preset", ""))
    if "dataset" in named:
        dataset = str(named["dataset"])
        preset = asked or _preset_for(dataset)
        return preset, _layout(asked, record) + _same_data(dataset, named, record, searched), ""
    if asked and asked not in _RECIPES and (dataset := _said([], asked)):
        other = searched is not None and searched.source.dataset not in ("", dataset)
        which = f"; the run searched on {searched.source.dataset}" if searched and other else ""
        return asked, [], f"those of the preset {asked}{which}"
    if record is None or searched is None:
        preset = asked or preset_files.DEFAULT_TRAINING_PRESET
        return preset, [], f"those of the preset {preset}, as neither a run nor --dataset names any"
    if not searched.source.dataset:
        raise UserError(
            f"The run in {record.path} names no data, because a function gave its accuracies; "
            "--dataset says which images to train on."
        )
    preset = asked or _preset_for(searched.source.dataset)
    return preset, _layout(asked, record) + _of_run(record, searched), f"those of {record.path}"


def _layout(asked: str, record: RunRecord | None) -> list[str]:
    """A preset that nobody has named leaves the layout to the block's run."""
    return [] if asked or record is None else ["--layout=auto", "--filters=", "--repeats=0"]


def _of_run(record: RunRecord, searched: SearchedData) -> list[str]:
    flags = [f"--{name}={record.flags[name]}" for name in _OF_DATA if name in record.flags]
    return [*flags, *([f"--data_dir={searched.source.data_dir}"] * bool(searched.source.data_dir))]


def _same_data(
    dataset: str,
    named: Mapping[str, Any],
    record: RunRecord | None,
    searched: SearchedData | None,
) -> list[str]:
    """What the run says of its data, where those that were named are the same at another place."""
    if record is None or searched is None:
        return []
    here = dataclasses.replace(
        searched.source, dataset=dataset, data_dir=str(named.get("data_dir", ""))
    )
    same = dataset == searched.source.dataset
    if not same and searched.digest:
        same = data_digest(here) == searched.digest
    return [flag for flag in _of_run(record, searched) if same and "--dataset=" not in flag]


def _preset_for(dataset: str) -> str:
    """The preset for data that were named without one."""
    known = {"digits": "train_digits", "imagenet2012": "train_imagenet"}
    name = dataset.partition(":")[0].partition("/")[0]
    if name == "cifar10":
        return "train_cifar10" if has_accelerator() else "train_cifar10_cpu"
    if name == "cifar100" and has_accelerator():
        return "train_cifar100"
    return known.get(name, OWN)


def _said(flags: Sequence[str], preset: str) -> str:
    """The data set that flags name, or else a preset."""
    words = {word.partition("=")[0]: word.partition("=")[2] for word in flags}
    path = preset_files.preset_path(preset, preset_files.TRAINING_PRESETS)
    return words.get("--dataset", "") or _lines(path).get("dataset", "")


def _lines(path: pathlib.Path) -> dict[str, str]:
    """The flags in a file by name, so far as they have a value; none where there is no file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    parts = [line.strip().partition("=") for line in lines if line.startswith("--")]
    return {name[2:]: value for name, _, value in parts}


def _name(preset: str, dataset: str) -> str:
    """What the directory of a training is called after."""
    own = preset.removeprefix("train_")
    if _said([], preset) == dataset:
        return own
    path = re.sub(r":\d+x\d+$", "", dataset.removeprefix("npz:").removeprefix("folder:"))
    data = pathlib.PurePath(path).name if path != dataset else re.split(r"[:/]", dataset)[0]
    data = re.sub(r"[^\w.-]+", "-", data.removesuffix(".npz")).strip("-.") or "data"
    return data if preset == OWN else f"{own}-{data}"


def _begun(
    arguments: Sequence[str], named: Mapping[str, Any], name: str, code: Code | None
) -> tuple[pathlib.Path | None, pathlib.Path | None]:
    """The flags of a training that is to go on, and its directory unless that was typed."""
    typed = preset_files.values_named("out_dir", arguments)
    for text in preset_files.values_named("flagfile", arguments):
        file = pathlib.Path(text).expanduser()
        if _is_training(file.parent) and file.name == directory.FLAG_FILE:
            # The file may have been moved since it was written, its folder with it.
            return file, None if typed else file.parent
    out_dir = pathlib.Path(str(named["out_dir"])) if named.get("out_dir") else None
    if named.get("top"):
        parent = out_dir or place_of(None, name, "", True).parent
        found = sorted(child for child in parent.glob("*") if _is_training(child))
        return (found[0] / directory.FLAG_FILE, None) if found else (None, None)
    place = out_dir or place_of(None, name, "", False)
    if out_dir is None and code is not None:
        place = place_of_code(None, name, code, False)
    return (place / directory.FLAG_FILE, place) if _is_training(place) else (None, None)


def _is_training(path: pathlib.Path) -> bool:
    try:
        return all((path / name).is_file() for name in (directory.FLAG_FILE, directory.METRICS))
    except (OSError, ValueError):
        return False
