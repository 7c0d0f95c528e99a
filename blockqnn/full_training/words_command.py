"""The verb `train` for recurrent cells: a language model trained to its end, and tested once."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import time
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from blockqnn.data.datasets import contents, digest
from blockqnn.data.text_source import TEST, TextSource, text_parts
from blockqnn.errors import FAILED, INTERRUPTED, UserError
from blockqnn.full_training.directory import (
    FLAG_FILE,
    METRICS,
    opened,
    read_result,
    replace_text,
    write_result,
)
from blockqnn.full_training.words_settings import WordsTrainSettings
from blockqnn.heading import heading
from blockqnn.invocation import command
from blockqnn.language_settings import MODEL_FILE, has_model
from blockqnn.listing import counted, duration, in_units, number
from blockqnn.networks.cost import cost
from blockqnn.networks.spaces.registry import design_of, write

if TYPE_CHECKING:
    from blockqnn.children.language_file import ModelFacts
    from blockqnn.children.language_training import Progress


def train_words(settings: WordsTrainSettings, stream: TextIO) -> int:
    """Trains a language model, or goes on with it, and prints its perplexities.

    Args:
        settings: what to train, and how.
        stream: for progress and results.

    Returns:
        The exit status: 0, 1 if the loss became infinite, 130 if it stopped early.

    Raises:
        UserError: if something cannot be used; nothing has been written then.
    """
    design = design_of(settings.code)
    spent = cost(design, settings.layout)
    found = contents(settings.data)
    widths = ",".join(map(str, settings.layout.filters))
    recipe = settings.recipe
    lines = {
        "Data": found.in_words() + (f"\n({settings.origin})" if settings.origin else ""),
        "Device": "what JAX has, one device",
        "Model": f"{settings.title}, hash {design.hash}: cells of {widths} numbers, "
        f"{spent.parameters:,} parameters, {in_units(spent.flops)} FLOPs for a word",
        "Training": f"{counted(recipe.epochs, 'epoch')} in batches of {recipe.batch_size}, "
        f"{recipe.optimiser} at {recipe.learning_rate:g}",
        "Into": str(settings.out_dir),
    }
    print(heading(lines), file=stream, flush=True)
    result = read_result(settings.out_dir)
    if result is not None:
        # What has ended may be another training, whose figures are not to be taken for these.
        _begun(settings)
    else:
        status = _train(settings, stream)
        if status:
            return status
        result = read_result(settings.out_dir)
        assert result is not None
    print(f"\n{in_words(result, settings.out_dir)}", file=stream)
    return 0


def in_words(result: dict[str, Any], out_dir: pathlib.Path) -> str:
    """What a training found.

    Args:
        result: the object in its `result.json`.
        out_dir: of the training.

    Returns:
        Lines for the terminal.
    """
    lines = [
        f"Trained for {counted(result['epochs'], 'epoch')} in {result['seconds']:.0f} seconds: "
        f"{result['parameters']:,} parameters.",
        f"Validation perplexity {result['validation']['perplexity']:.2f} on "
        f"{result['validation']['words']:,} words.",
    ]
    if "test" in result:
        lines.append(
            f"Test perplexity {result['test']['perplexity']:.2f} on "
            f"{result['test']['words']:,} words."
        )
    else:
        lines.append("The test text was not looked at.")
    if result["averaged_after"]:
        lines.append(f"Its weights are averages since epoch {result['averaged_after']}.")
    lines += [
        f"Its weights: {out_dir}",
        f"Measure it:  {command('evaluate', out_dir)}",
        f"Take it home: {command('export', out_dir, f'--to={out_dir}-exported')}",
    ]
    return "\n".join(lines)


def _train(settings: WordsTrainSettings, stream: TextIO) -> int:
    # JAX is slow to import, and a wrong word on the command line is found without it.
    from blockqnn.children.language_training import require_words

    train, validation = text_parts(settings.data)
    require_words(settings.recipe, len(train), len(validation))
    # Only now is a directory made: what is refused leaves none.
    with opened(settings.out_dir):
        return _go_on(settings, train, validation, stream)


def _go_on(
    settings: WordsTrainSettings, train: np.ndarray, validation: np.ndarray, stream: TextIO
) -> int:
    """Trains from where the directory is, which nobody else holds; the exit status."""
    from blockqnn.children.compilation import begin_cache
    from blockqnn.children.language_file import write_model
    from blockqnn.children.language_training import Progress, compile_model, train_model
    from blockqnn.children.training import TrainingError

    facts, state = _begun(settings)
    before = None
    if state is not None:
        losses, perplexities = ([e[name] for e in facts.history] for name in ("loss", "perplexity"))
        before = Progress(perplexities, losses, facts.averaged_after)
        print(f"Continuing after {counted(len(losses), 'epoch')}.", file=stream, flush=True)
    begin_cache(settings.compilation_cache)
    print("Compiling the model ...", file=stream, flush=True)
    model = compile_model(facts.plan, settings.recipe)
    if state is not None:
        model.program.resume(state)
    out_dir, begun = settings.out_dir, time.monotonic()
    replace_text(out_dir / FLAG_FILE, settings.flag_file)
    # Trainings that are older than this do not know the seconds of their epochs.
    seconds = [float(epoch.get("seconds", 0.0)) for epoch in facts.history]
    earlier = sum(seconds)

    def ended(so_far: Progress) -> bool:
        """Keeps what an epoch has come to."""
        spent = time.monotonic() - begun
        seconds.append(earlier + spent - sum(seconds))
        history = [
            {"epoch": place, "loss": loss, "perplexity": perplexity, "seconds": of_epoch}
            for place, (loss, perplexity, of_epoch) in enumerate(
                zip(so_far.losses, so_far.perplexities, seconds, strict=True), start=1
            )
        ]
        now = dataclasses.replace(facts, history=history, averaged_after=so_far.averaged_after)
        write_model(out_dir / MODEL_FILE, now, model.program.state())
        text = "".join(json.dumps(epoch) + "\n" for epoch in history)
        (out_dir / METRICS).write_text(text, encoding="utf-8")
        done, most = len(history), settings.recipe.epochs
        left = duration(seconds[-1] * (most - done))
        averaged = ", averaged" if so_far.averaged_after else ""
        until_now = duration(sum(seconds))
        print(
            f"epoch {done}/{most}  loss {so_far.losses[-1]:.4f}  validation perplexity "
            f"{number(so_far.perplexities[-1])}{averaged}  {until_now} so far  {left} left",
            file=stream,
            flush=True,
        )
        return not 0 < settings.max_seconds <= spent

    try:
        trained = train_model(
            model, settings.recipe, train, validation, settings.seed, ended, before
        )
    except TrainingError as error:
        print(f"The training failed: {error}; a lower --learning_rate may help.", file=stream)
        return FAILED
    except KeyboardInterrupt:
        print(f"\nStopped; the same command goes on with {out_dir}.", file=stream)
        return INTERRUPTED
    if len(trained.epochs.losses) < settings.recipe.epochs:
        print(f"Stopped by --max_seconds; the same command goes on with {out_dir}.", file=stream)
        return INTERRUPTED
    spent = cost(design_of(settings.code), settings.layout)
    result: dict[str, Any] = {
        "title": settings.title,
        "code": write(settings.code),
        "epochs": settings.recipe.epochs,
        "seconds": sum(seconds),
        "parameters": spent.parameters,
        "flops": spent.flops,
        "averaged_after": trained.epochs.averaged_after,
        "validation": {
            "perplexity": trained.epochs.perplexities[-1],
            "words": len(validation),
        },
    }
    if settings.test:
        words = TextSource(settings.data).text.parts[TEST]
        result["test"] = {"perplexity": model.program.perplexity(words), "words": len(words)}
    write_result(out_dir, result)
    return 0


def _begun(settings: WordsTrainSettings) -> tuple[ModelFacts, Any]:
    """What the training is, and the state that it goes on with; None where it begins."""
    from blockqnn.children.language_file import ModelFacts, read_model

    data = dataclasses.asdict(settings.data)
    # Where a machine keeps the text does not belong to what is trained.
    data.pop("data_dir")
    facts = ModelFacts(
        code=write(settings.code),
        title=settings.title,
        layout=settings.layout.as_json(),
        recipe=dataclasses.asdict(settings.recipe),
        data=data,
        digest=digest(settings.data),
        seed=settings.seed,
        history=[],
        averaged_after=0,
        vocabulary=list(TextSource(settings.data).text.vocabulary.words),
    )
    facts = ModelFacts(**json.loads(json.dumps(dataclasses.asdict(facts))))
    if not has_model(settings.out_dir):
        return facts, None
    found, state = read_model(settings.out_dir)
    for name in ("code", "layout", "recipe", "digest", "seed"):
        if getattr(found, name) != getattr(facts, name):
            raise UserError(
                f"{settings.out_dir} holds a training with another {name}; name another --out_dir."
            )
    return found, state
