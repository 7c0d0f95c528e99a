"""The verb `evaluate` for language models: perplexity, words guessed, and speed."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import time
from typing import Any, TextIO

import jax
import jax.numpy as jnp
import numpy as np

from blockqnn.children.language_file import ModelFacts, read_model
from blockqnn.children.language_steps import streams, word_losses
from blockqnn.data.datasets import contents, digest
from blockqnn.data.text_source import SPLITS, TEST, TextSource
from blockqnn.errors import UserError
from blockqnn.full_training.evaluate import EvaluateSettings, say
from blockqnn.full_training.evaluation_images import JUDGED
from blockqnn.listing import in_units, table
from blockqnn.networks.initial import Weights
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.sequence import run, zero_states
from blockqnn.settings import DataSettings

_TOP = 5
_TIMED_SECONDS, _TIMED_RUNS = 1.0, 3


@dataclasses.dataclass(frozen=True)
class Guesses:
    """How well a model guesses the words of a text.

    Attributes:
        words: that it guessed.
        nats: mean negative log-probability of a word.
        first: share of words that it thought likeliest, in percent.
        top: share of words that were among its five likeliest, in percent.
    """

    words: int
    nats: float
    first: float
    top: float

    @property
    def perplexity(self) -> float:
        """E to the power of the nats."""
        return math.exp(min(self.nats, 700.0))


def evaluate_words(settings: EvaluateSettings, stream: TextIO) -> None:
    """Prints how well and how fast a trained language model is.

    Args:
        settings: what to evaluate; `batch_sizes` are sequences side by side.
        stream: where to print.

    Raises:
        UserError: if the model or the text cannot be used, or they do not match.
    """
    facts, state = read_model(settings.checkpoint)
    weights = state.parameters if state.average is None else state.average
    data = _data(facts, settings.source)
    split = TEST if settings.split == JUDGED else settings.split
    source = TextSource(data)
    if split not in source.text.parts:
        raise UserError(f"--split={split} is no part of a text; allowed: {', '.join(SPLITS)}.")
    # The numbers of words are the model's.
    if list(source.text.vocabulary.words) != facts.vocabulary:
        raise UserError(
            f"The vocabulary of {data.dataset} is not that of the model, whose words have other "
            "numbers; allowed: the text that it was trained on (--dataset)."
        )
    shown = None if settings.as_json else stream
    changed = "" if digest(data) == facts.digest else " The text has changed since the training."
    say(f"{facts.title}: {facts.code}\n{contents(data).in_words()}{changed}", shown)
    plan, words = facts.plan, source.text.parts[split]
    steps, batch = facts.recipe["language"]["bptt_steps"], facts.recipe["language"]["judging_batch"]
    found = guesses(plan, weights, words, steps, batch)
    speeds = [speed(plan, weights, words, steps, size) for size in settings.batch_sizes]
    if settings.as_json:
        rates = dict(zip(map(str, settings.batch_sizes), speeds, strict=True))
        said = dataclasses.asdict(found) | {"perplexity": found.perplexity, "split": split}
        print(json.dumps(said | {"code": facts.code, "words_per_second": rates}), file=stream)
        return
    print(
        f"\nPerplexity {found.perplexity:.2f} on {found.words:,} words of {split}, "
        f"{found.nats / math.log(2):.3f} bits each.\n"
        f"{found.first:.2f} % of them it thought likeliest, {found.top:.2f} % were among its "
        f"{_TOP} likeliest.",
        file=stream,
    )
    if speeds:
        rows = [
            [str(size), in_units(round(rate))]
            for size, rate in zip(settings.batch_sizes, speeds, strict=True)
        ]
        print(f"\n{table(['sequences', 'words a second'], rows)}", file=stream)


def guesses(plan: Plan, weights: Weights, words: np.ndarray, steps: int, batch: int) -> Guesses:
    """Lets a model guess each word of a text from those before it.

    Args:
        plan: of the model.
        weights: for each layer its trained arrays.
        words: their numbers, int32 [N].
        steps: words at once.
        batch: sequences side by side into which the text is cut, or fewer if it is short.

    Returns:
        The figures.
    """
    text = streams(words, min(batch, max(1, len(words) // 2)))
    length, batch = text.shape
    windows = -(-(length - 1) // steps)
    padded = np.zeros((windows * steps + 1, batch), np.int32)
    padded[:length] = text
    top = min(_TOP, plan[-1].shape[-1])

    @jax.jit
    def window(weights: Any, states: Any, own: jax.Array) -> tuple[Any, tuple[jax.Array, ...]]:
        values, after = run(plan, weights, own[:-1], states)
        scores, wanted = values[len(plan) - 1], own[1:]
        better = jnp.sum(scores > jnp.take_along_axis(scores, wanted[..., None], axis=-1), axis=-1)
        return after, (word_losses(scores, wanted), better < 1, better < top)

    states, sums = zero_states(plan, batch), np.zeros(3)
    for place in range(windows):
        states, found = window(weights, states, jnp.asarray(padded[place * steps :][: steps + 1]))
        real = slice(0, min(steps, length - 1 - place * steps))
        sums += [float(np.asarray(each, np.float64)[real].sum()) for each in found]
    count = (length - 1) * batch
    nats, first, among = sums / count
    return Guesses(count, float(nats), 100 * float(first), 100 * float(among))


def speed(plan: Plan, weights: Weights, words: np.ndarray, steps: int, batch: int) -> float:
    """Words that a model reads in a second, compiling not counted.

    Args:
        plan: of the model.
        weights: for each layer its trained arrays.
        words: that are read again and again if they are too few.
        steps: words at once.
        batch: sequences side by side.

    Returns:
        Words of all sequences together, by the median time.
    """
    text = jnp.asarray(np.resize(words, (steps, batch)))
    states = zero_states(plan, batch)
    compute = jax.jit(lambda weights: run(plan, weights, text, states)[0][len(plan) - 1])
    on_device = jax.device_put(weights)
    compute(on_device).block_until_ready()
    seconds: list[float] = []
    while len(seconds) < _TIMED_RUNS or sum(seconds) < _TIMED_SECONDS:
        begun = time.perf_counter()
        compute(on_device).block_until_ready()
        seconds.append(time.perf_counter() - begun)
    return steps * batch / statistics.median(seconds)


def _data(facts: ModelFacts, source: DataSettings) -> DataSettings:
    """The text of the training, or another place where it lies."""
    dataset = source.dataset or facts.data["dataset"]
    known = {name: value for name, value in facts.data.items() if name != "dataset"}
    usual = dataclasses.asdict(DataSettings())
    return DataSettings(**usual | known | {"dataset": dataset})
