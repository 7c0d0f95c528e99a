"""How many steps an epoch of a supernet has, and how many batches scores are of."""

from __future__ import annotations

import dataclasses

from blockqnn.data.datasets import search_part_sizes
from blockqnn.data.text_source import text_parts
from blockqnn.language_settings import window_count
from blockqnn.settings import SearchSettings


@dataclasses.dataclass(frozen=True)
class EpochSize:
    """An epoch in steps.

    Attributes:
        steps: of an epoch, each of which trains one design.
        examples: images of a step, or words.
        scored_batches: full ones of the validation part, since of a last one of a few images a
            score would be luck; one where there is none.
    """

    steps: int
    examples: int
    scored_batches: int

    @classmethod
    def of(cls, settings: SearchSettings) -> EpochSize:
        """The size of an epoch of a search's supernet.

        Raises:
            UserError: if the data cannot be read.
        """
        assert settings.supernet is not None
        batch, language = settings.supernet.batch_size, settings.recipe.language
        if language is None:
            train, validation = search_part_sizes(settings.data)
            return cls(max(1, train // batch), batch, max(1, validation // batch))
        texts = text_parts(settings.data)
        words, judged = (len(text) // batch for text in texts)
        return cls(
            max(1, window_count(words, language.bptt_steps)),
            batch * language.bptt_steps,
            max(1, (judged - 1) // language.bptt_steps),
        )
