"""The verb `export` for recurrent cells: a cell and a language model as a folder of Flax."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TextIO

import numpy as np

from blockqnn.errors import UserError
from blockqnn.export.cell_source import cell_source, weight_names
from blockqnn.export.weights import write_safetensors
from blockqnn.networks.cost import cost
from blockqnn.networks.initial import Weights
from blockqnn.networks.layout import Layout
from blockqnn.networks.recurrent.initial import initial_weights
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import as_lists, design_of, design_plan, space_of, write

SOURCE, WEIGHTS, DESCRIPTION = "network.py", "weights.safetensors", "network.json"
VOCABULARY, README = "vocabulary.txt", "README.md"


@dataclasses.dataclass(frozen=True)
class CellSubject:
    """A language model to export.

    Attributes:
        title: how the user calls its cell.
        code: the cell.
        layout: of the model.
        weights: for each layer of the plan its arrays; None for initial ones.
        seed: of initial weights.
        vocabulary: words by number; empty where they are not known.
        perplexity: on the validation text, of trained ones.
    """

    title: str
    code: Code
    layout: Layout
    weights: Weights | None
    seed: int
    vocabulary: tuple[str, ...] = ()
    perplexity: float | None = None


def trained_subject(path: pathlib.Path, fresh_weights: bool, seed: int) -> CellSubject:
    """The model of a training's directory; see `find_subject` for the arguments."""
    from blockqnn.children.language_file import read_model

    facts, state = read_model(path)
    weights = state.parameters if state.average is None else state.average
    return CellSubject(
        facts.title,
        facts.cell,
        facts.model_layout,
        None if fresh_weights else weights,
        seed,
        tuple(facts.vocabulary),
        None if fresh_weights or not facts.history else facts.history[-1]["perplexity"],
    )


def write_cell(subject: CellSubject, folder: pathlib.Path, framework: str) -> None:
    """Writes all files of an export.

    Args:
        subject: the model.
        folder: an empty one.
        framework: `flax`.

    Raises:
        UserError: if it is another framework.
    """
    if framework != "flax":
        raise UserError(
            f"--framework={framework}: recurrent cells are exported to Flax alone; allowed: flax."
        )
    plan = design_plan(design_of(subject.code), subject.layout)
    weights = subject.weights
    if weights is None:
        weights = initial_weights(plan, subject.seed)
    named = {
        name: np.ascontiguousarray(weights[position][array])
        for (position, array), name in weight_names(plan).items()
    }
    source = cell_source(plan, subject.layout, write(subject.code))
    (folder / SOURCE).write_text(source, encoding="utf-8")
    write_safetensors(folder / WEIGHTS, named)
    if subject.vocabulary:
        lines = "".join(json.dumps(word, ensure_ascii=False) + "\n" for word in subject.vocabulary)
        (folder / VOCABULARY).write_text(lines, encoding="utf-8")
    facts = _facts(subject)
    (folder / DESCRIPTION).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (folder / README).write_text(_readme(subject), encoding="utf-8")


def in_words(subject: CellSubject, to: pathlib.Path, stream: TextIO) -> None:
    """Says what was written."""
    title = subject.title if subject.title.isprintable() else ascii(subject.title)
    print(f"{title}: {write(subject.code)}", file=stream)
    if subject.perplexity is None:
        print("NOT TRAINED: the weights are initial ones.", file=stream)
    else:
        print(f"Trained to a validation perplexity of {subject.perplexity:.2f}.", file=stream)
    print(f"\nWrote {to}:", file=stream)
    files = {
        SOURCE: "the cell and the language model in Flax",
        WEIGHTS: "weights, by their names in the model's state",
        **({VOCABULARY: "words by number, a JSON string a line"} if subject.vocabulary else {}),
        DESCRIPTION: f"{space_of(subject.code).unit}, layout and figures",
        README: "how it is loaded",
    }
    for name, what in files.items():
        print(f"  {name:19}  {what}", file=stream)


def _facts(subject: CellSubject) -> dict[str, object]:
    design = design_of(subject.code)
    spent = cost(design, subject.layout)
    return {
        "format": 1,
        "title": subject.title,
        "code": write(subject.code),
        "block": as_lists(subject.code),
        "hash": design.hash,
        "layout": subject.layout.as_json(),
        "parameters": spent.parameters,
        "flops": spent.flops,
        "trained": subject.perplexity is not None,
        "validation_perplexity": subject.perplexity,
        "seed": subject.seed,
    }


def _readme(subject: CellSubject) -> str:
    trained = (
        "Its weights are initial ones, not trained."
        if subject.perplexity is None
        else f"It was trained to a validation perplexity of {subject.perplexity:.2f}."
    )
    return f"""# A language model of a recurrent cell

```
{write(subject.code)}
```

{trained} It needs `jax`, `flax` and `safetensors`.

```python
import jax.numpy as jnp
from network import load

model = load()
words = jnp.zeros((1, 5), jnp.int32)  # numbers of words, [B, T]
scores, states = model(words)         # [B, T, WORDS]; states go on with the text
scores, states = model(words, states)
```

The cell alone, for a network of your own:

```python
from flax import nnx
from network import Cell

cell = Cell(32, 64, rngs=nnx.Rngs(0))
state = cell.initial_state(8)
y, state = cell(jnp.zeros((8, 32)), state)  # [8, 64]
```
"""
