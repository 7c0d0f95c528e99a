"""The flags of language models: how they are built, trained and rewarded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blockqnn.data.text_source import is_text
from blockqnn.flags import preset_files
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.language_settings import LanguageRecipe
from blockqnn.networks.layout import LANGUAGE
from blockqnn.networks.spaces.registry import stacking_rules

OWN_NODES = "own"
_PRESET = "rnn_text"

_SHARES = {
    "word_dropout": "share of the vocabulary that a window does not see",
    "embedding_dropout": "share of words' vectors that a sequence does not see",
    "input_dropout": "share of what a cell reads that a sequence does not see",
    "hidden_dropout": "share of its state that the nodes of a cell do not see",
    "output_dropout": "share of what the decoder reads that a sequence does not see",
}


def define_model(flags: FlagSet) -> None:
    """Adds the flags of how a language model is built, in a group of their own."""
    flags.group("Language models (--layout=language)", Owner("layout", (LANGUAGE,)))
    flags.choice(
        "node_rules",
        OWN_NODES,
        (OWN_NODES, *stacking_rules(words=True)),
        "which nodes of a recurrent cell it writes the mean of; own for those of the search space",
    )
    flags.switch("untied", False, "a decoder with weights of its own, not those of the embedding")


def define_training(flags: FlagSet) -> None:
    """Adds the flags of how a language model is trained, in a group of their own."""
    usual = LanguageRecipe()
    flags.group("Training of language models (--layout=language)", Owner("layout", (LANGUAGE,)))
    flags.integer("bptt_steps", usual.bptt_steps, "words that errors go back in time", 1)
    flags.number(
        "clip_norm", usual.clip_norm, "norm that a step's gradients are cut to; 0 for none", least=0
    )
    flags.integer(
        "averaging_patience",
        usual.averaging_patience,
        "of --optimiser=asgd, epochs n: weights are averaged from the epoch on whose perplexity is "
        "worse than the best up to n epochs before; 0 for never",
    )
    for name, meaning in _SHARES.items():
        flags.number(name, getattr(usual, name), meaning, least=0, most=0.99)
    flags.number(
        "activation_penalty",
        usual.activation_penalty,
        "weight of the mean square of what the decoder reads",
        least=0,
    )
    flags.number(
        "temporal_penalty",
        usual.temporal_penalty,
        "weight of the mean square of how much a cell's output changes from word to word",
        least=0,
    )
    flags.number(
        "first_weights", usual.first_weights, "initial weights are uniform within it", above=0
    )
    flags.integer(
        "judging_batch",
        usual.judging_batch,
        "sequences side by side where perplexity is measured",
        1,
    )


def define_reward(flags: FlagSet) -> None:
    """Adds the flag of the reward, in a group of its own."""
    flags.group("Reward of language models (--layout=language)", Owner("layout", (LANGUAGE,)))
    flags.integer(
        "perplexity_power",
        1,
        "the reward is 80 / perplexity to this power: 1 as ENAS has it, 2 as NAS has it",
        1,
    )


def take_usual(flags: FlagSet) -> None:
    """Takes no correction of rewards where nobody has named one: equation 7's is of accuracies.

    Args:
        flags: of a search, read, with the layout that its space has.
    """
    if flags.values["layout"].value == LANGUAGE:
        for name in ("mu", "rho"):
            if not flags.values[name].present:
                flags.values[name].value = 0.0


def preset_for(arguments: Sequence[str]) -> str:
    """The preset of a search whose data are a text and that names none; empty for other data."""
    named = preset_files.values_named("dataset", arguments)
    return _PRESET if named and is_text(named[-1]) else ""


def language_recipe(values: dict[str, Any]) -> LanguageRecipe | None:
    """How a language model is trained; None of children that see images."""
    if values["layout"] != LANGUAGE:
        return None
    names = LanguageRecipe.__dataclass_fields__
    return LanguageRecipe(**{name: values[name] for name in names})
