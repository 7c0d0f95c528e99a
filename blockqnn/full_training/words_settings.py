"""What the training of a language model to its end is made of. `flags` fills it."""

from __future__ import annotations

import dataclasses
import pathlib

from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.settings import DataSettings, Recipe


@dataclasses.dataclass(frozen=True)
class WordsTrainSettings:
    """What to train, and how.

    Attributes:
        title: how the user calls the cell.
        code: the cell.
        layout: of the model; `classes` is that of the text.
        data: the text.
        recipe: how it is trained.
        seed: of weights, of dropout and of where epochs begin.
        out_dir: of the training.
        test: whether the test text is measured, once, at the end.
        max_seconds: after which it stops with what it has; 0 for no limit.
        compilation_cache: as for a search.
        flag_file: the text to keep in the directory.
        origin: who has said which data, in words; empty for the user.
    """

    title: str
    code: Code
    layout: Layout
    data: DataSettings
    recipe: Recipe
    seed: int
    out_dir: pathlib.Path
    test: bool = True
    max_seconds: float = 0.0
    compilation_cache: str = ""
    flag_file: str = ""
    origin: str = ""
