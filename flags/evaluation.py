"""The flags of `evaluate`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.flags import data as data_flags
from blockqnn.flags import parsing
from blockqnn.flags.verb import Verb
from blockqnn.full_training.evaluate import EvaluateSettings
from blockqnn.full_training.evaluation_images import JUDGED, SPLITS
from blockqnn.invocation import command
from blockqnn.language_settings import has_model


def define() -> parsing.FlagSet:
    """The flags of `evaluate`, at their defaults."""
    flags = parsing.FlagSet(
        "evaluate",
        "CHECKPOINT",
        "Measures a trained network: error, top-5 error, each class, speed. CHECKPOINT is the "
        "directory of a training, or of one of its checkpoints.",
    )
    flags.group("Output")
    flags.choice("format", "text", ("text", "json"), "output for people, or one JSON object")
    flags.group("Data")
    data_flags.define_source(
        flags,
        "",
        "other data have images of the network's shape, and classes are matched by name where "
        "both have names; empty for those of the training, and so are the flags below",
    )
    flags.choice(
        "split",
        JUDGED,
        SPLITS,
        "which images to measure; judged for those that the training was judged by in the end (the "
        "test split, or what was held out), or of other data the test split, or all if they have "
        "none",
    )
    flags.integer("readers", 4, "threads that read and decode images", 1)
    flags.group("Computation")
    flags.integer("batch_size", 128, "images at once while errors are counted", 1)
    flags.special(
        "batch_sizes",
        (1, 8, 64, 256),
        "batch sizes whose latency and throughput are measured; empty for none",
        parse_batch_sizes,
        "positive integers with commas between them, as in 1,64, or nothing",
    )
    flags.switch("bfloat16", False, "compute in bfloat16; weights stay float32")
    return flags


def parse(arguments: Sequence[str]) -> EvaluateSettings:
    """Turns the command line of `evaluate` into settings.

    Args:
        arguments: what follows `evaluate`.

    Returns:
        What to evaluate.

    Raises:
        UserError: if the command line cannot be used.
    """
    flags = define()
    words = flags.parse(arguments)
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise UserError(
            f"evaluate takes one CHECKPOINT, given {given!r}. See: {command('evaluate', '--help')}"
        )
    value = flags.chosen()
    return EvaluateSettings(
        checkpoint=pathlib.Path(words[0]),
        source=data_flags.data_settings(value),
        split=value["split"],
        batch_size=value["batch_size"],
        batch_sizes=value["batch_sizes"],
        readers=value["readers"],
        bfloat16=value["bfloat16"],
        as_json=value["format"] == "json",
    )


def parse_batch_sizes(text: str) -> tuple[int, ...]:
    """Reads `--batch_sizes`: positive integers with commas between them, or nothing."""
    sizes = tuple(int(part) for part in text.split(",")) if text else ()
    if any(not 0 < size <= 1_000_000 for size in sizes):
        raise ValueError
    return sizes


def _run(settings: EvaluateSettings) -> int:
    if has_model(settings.checkpoint):
        from blockqnn.full_training.words_evaluate import evaluate_words

        evaluate_words(settings, sys.stdout)
        return 0
    from blockqnn.full_training.evaluate import evaluate

    evaluate(settings, sys.stdout)
    return 0


EVALUATE = Verb("evaluate", define, parse, _run)
