"""Trains language models: windows of words, perplexity on validation after each epoch."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from blockqnn.children.language_program import LanguageProgram
from blockqnn.children.language_steps import streams
from blockqnn.children.schedule import relative_rates
from blockqnn.children.training import TrainingError
from blockqnn.errors import UserError
from blockqnn.language_settings import ASGD, window_count
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.initial import initial_weights
from blockqnn.settings import Recipe


@dataclasses.dataclass
class CompiledModel:
    """A language model before training.

    Attributes:
        plan: of it.
        program: compiled.
        compile_seconds: spent on compiling.
    """

    plan: Plan
    program: LanguageProgram
    compile_seconds: float


@dataclasses.dataclass
class Progress:
    """What epochs have come to so far.

    Attributes:
        perplexities: on the validation text after each epoch.
        losses: mean training loss of each epoch, in nats.
        averaged_after: epochs after which its weights became averages; 0 for never.
    """

    perplexities: list[float] = dataclasses.field(default_factory=list)
    losses: list[float] = dataclasses.field(default_factory=list)
    averaged_after: int = 0


@dataclasses.dataclass
class TrainedModel:
    """A language model after training.

    Attributes:
        program: holds its weights.
        epochs: what they came to.
        compile_seconds: spent on compiling.
        train_seconds: spent on the rest.
    """

    program: LanguageProgram
    epochs: Progress
    compile_seconds: float
    train_seconds: float


def require_words(recipe: Recipe, train: int, validation: int, shared_batch: int = 0) -> None:
    """Refuses a text that is too short for a recipe.

    Args:
        recipe: how a language model is trained.
        train: words of the training text.
        validation: words of the validation text.
        shared_batch: sequences in a step of a supernet; 0 for those of the recipe.

    Raises:
        UserError: naming what is too short.
    """
    assert recipe.language is not None
    batch = shared_batch or recipe.batch_size
    needed = batch * (2 * recipe.language.bptt_steps + 1)
    if train < needed:
        flag = "supernet_batch_size" if shared_batch else "batch_size"
        raise UserError(
            f"The training text has {train:,} words; {batch} sequences of windows of "
            f"{recipe.language.bptt_steps} words need at least {needed:,} (--{flag}, "
            "--bptt_steps)."
        )
    if validation < 2:
        raise UserError(f"The validation text has {validation} words; needed are at least 2.")


def compile_model(plan: Plan, recipe: Recipe) -> CompiledModel:
    """Compiles a language model for the default device."""
    start = time.perf_counter()
    program = LanguageProgram(plan, recipe)
    program.compile()
    return CompiledModel(plan, program, time.perf_counter() - start)


def train_model(
    model: CompiledModel,
    recipe: Recipe,
    train: np.ndarray,
    validation: np.ndarray,
    seed: int,
    after_epoch: Callable[[Progress], bool] = lambda so_far: True,
    before: Progress | None = None,
) -> TrainedModel:
    """Trains a language model by the recipe.

    Args:
        model: compiled.
        recipe: how to train.
        train: numbers of words, int32 [N].
        validation: likewise.
        seed: of the weights, of dropout, and of where epochs begin.
        after_epoch: told of each epoch that has ended; says whether to go on.
        before: epochs after which the program is already, as `LanguageProgram.resume` left it;
            None to begin.

    Returns:
        The trained model.

    Raises:
        TrainingError: if the loss is not finite.
    """
    assert recipe.language is not None
    start, program = time.perf_counter(), model.program
    if before is None:
        program.start(initial_weights(model.plan, seed, recipe.language.first_weights))
    so_far = before or Progress()
    text = streams(train, recipe.batch_size)
    windows = window_count(len(text), recipe.language.bptt_steps)
    for epoch in range(len(so_far.losses), recipe.epochs):
        rates = recipe.learning_rate * relative_rates(recipe, epoch, windows)
        loss = program.train_epoch(text, rates, seed, epoch)
        if not math.isfinite(loss):
            raise TrainingError(f"loss is {loss} in epoch {epoch + 1}")
        so_far.losses.append(loss)
        so_far.perplexities.append(program.perplexity(validation))
        patience = recipe.language.averaging_patience if recipe.optimiser == ASGD else 0
        if patience and not program.averages and no_better(so_far.perplexities, patience):
            program.begin_average()
            so_far.averaged_after = epoch + 1
        if not after_epoch(so_far):
            break
    seconds = time.perf_counter() - start
    return TrainedModel(program, so_far, model.compile_seconds, seconds)


def no_better(perplexities: Sequence[float], patience: int) -> bool:
    """The non-monotone trigger of averaged descent.

    Merity, Keskar, Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018,
    algorithm 1: whether the last perplexity is worse than the best of those that lie at least
    `patience` epochs before it.

    Args:
        perplexities: on the validation text, of all epochs so far.
        patience: n of the algorithm.

    Returns:
        Whether averaging begins.
    """
    *before, last = perplexities
    return len(before) > patience and last > min(before[: len(before) - patience])


def as_accuracy(perplexity: float) -> float:
    """Perplexity as other children's accuracies are stored: 100 over it, in percent.

    It is the geometric mean of the probability that the model gave to each word. Guessing among V
    words has perplexity V and so has what guessing among V classes has.
    """
    return 100.0 / perplexity
