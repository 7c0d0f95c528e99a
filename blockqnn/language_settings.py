"""How language models are trained, besides what all children have."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

MODEL_FILE = "language_model.safetensors"
"""A language model in a training's directory, see `blockqnn.children.language_file`."""

ASGD = "asgd"
"""Plain descent that turns to averaged descent when validation gets no better."""


@dataclasses.dataclass(frozen=True)
class LanguageRecipe:
    """What a language model is trained by.

    The defaults are those of a search of Liu, Simonyan, Yang, ICLR 2019, appendix A.1.2.

    Attributes:
        bptt_steps: words that errors go back in time; the state goes on from window to window.
        clip_norm: to which the norm of a step's gradients is cut; 0 for no bound.
        averaging_patience: of `asgd`, epochs n: averaging begins after an epoch whose perplexity
            is worse than the best up to n epochs before; 0 for never.
        word_dropout: share of the vocabulary that a window does not see.
        embedding_dropout: share of the numbers of words' vectors that a sequence does not see.
        input_dropout: the same of what a cell reads.
        hidden_dropout: the same of what the nodes of a cell read of its state.
        output_dropout: the same of what the decoder reads.
        activation_penalty: weight of the mean square of what the decoder reads.
        temporal_penalty: weight of the mean square of how much that changes from word to word.
        first_weights: initial weights are uniform from minus to plus this.
        judging_batch: sequences side by side into which a text is cut to measure perplexity.
    """

    bptt_steps: int = 35
    clip_norm: float = 0.25
    averaging_patience: int = 5
    word_dropout: float = 0.0
    embedding_dropout: float = 0.2
    input_dropout: float = 0.75
    hidden_dropout: float = 0.25
    output_dropout: float = 0.75
    activation_penalty: float = 0.0
    temporal_penalty: float = 1e-3
    first_weights: float = 0.04
    judging_batch: int = 10

    @property
    def dropouts(self) -> dict[str, float]:
        """By what is taken away, see `blockqnn.networks.operations.recurrent`, the share."""
        return {
            "words": self.word_dropout,
            "embedding": self.embedding_dropout,
            "input": self.input_dropout,
            "hidden": self.hidden_dropout,
            "output": self.output_dropout,
        }


def window_count(length: int, steps: int) -> int:
    """Windows of an epoch of sequences of so many words; each epoch begins at another word."""
    return max(0, (length - steps) // steps)


def language_recipe(given: Any) -> LanguageRecipe | None:
    """The settings of what JSON has as an object; None, and settings, as they are."""
    return LanguageRecipe(**given) if isinstance(given, dict) else given


def has_model(path: pathlib.Path) -> bool:
    """Whether a path is a language model's file, or a folder with one."""
    try:
        return path.name == MODEL_FILE or (path / MODEL_FILE).is_file()
    except (OSError, ValueError):
        return False
