"""Recurrent cells on a text, at equal parameters and equal seconds.

Every cell is scaled to --parameters and trained for --seconds of processor, compiling not counted:
some windows of words are measured first, and then come as many as fit. Cells are LSTM and GRU,
those of the papers, --random cells drawn uniformly, and the best of each RUN_DIR that is given. The
text is that which comes with Python, or --dataset=text:PATH. A line for each training is in
--ledger, and the same command continues; --only_table trains nothing.

--steps measures a step of training instead, of this project's LSTM and of PyTorch's, written in the
same way and taken by turns.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks._arguments import listed, make_parser
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.children.language_program import LanguageProgram
from blockqnn.children.language_steps import streams
from blockqnn.data.text_source import TEST, TRAIN, VALIDATION, TextSource
from blockqnn.language_settings import ASGD, LanguageRecipe, window_count
from blockqnn.listing import number, table
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.plan import Plan
from blockqnn.networks.recurrent.initial import initial_weights
from blockqnn.networks.sizing import Match, matched
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.registry import (
    design_of,
    design_plan,
    published,
    space_named,
    write,
)
from blockqnn.runs.run_record import read_run
from blockqnn.settings import DataSettings, Recipe

RATE = 10.0
"""Of plain descent, at the start of a cosine over all windows."""
MEASURED = 200
"""Windows by which it is known how many fit."""
NAMED = ("lstm", "gru", "nas-cell", "enas-rnn", "darts-rnn-v1", "darts-rnn-v2")
RANDOM_SPACE = "darts_cell"
LANGUAGE_RECIPE = LanguageRecipe(
    bptt_steps=25,
    averaging_patience=0,
    embedding_dropout=0.0,
    input_dropout=0.1,
    hidden_dropout=0.05,
    output_dropout=0.1,
    temporal_penalty=0.0,
    first_weights=0.1,
    judging_batch=16,
)


def recipe(epochs: int, batch: int = 16) -> Recipe:
    """How every cell is trained: by plain descent."""
    return Recipe(
        epochs=epochs,
        batch_size=batch,
        learning_rate=RATE,
        optimiser=ASGD,
        language=LANGUAGE_RECIPE,
    )


def cells(random: int, runs: Sequence[str]) -> dict[str, Code]:
    """The cells by name: published ones, random ones, and the best of runs."""
    found = {name: published()[name] for name in NAMED}
    space = space_named(RANDOM_SPACE)
    agent = RandomSearch(space, RandomSearchConfig("uniform"), seed=0)
    for place, code in enumerate(agent.suggest(random), start=1):
        found[f"random {place}"] = code
    for path in runs:
        found[f"found in {pathlib.Path(path).name}"] = read_run(pathlib.Path(path)).best(1)[0].code
    return found


def train(
    code: Code, text: TextSource, parameters: int, seconds: float, seed: int
) -> dict[str, Any]:
    """Trains a cell for so many seconds of processor, and measures it."""
    words = text.info().classes
    layout = Layout(LANGUAGE, (64,), 1, 1, 1, 1, words)
    size = matched(design_of(code), layout, Match("parameters", parameters))
    plan = design_plan(design_of(code), size.layout)
    parts = text.text.parts
    sequences = streams(parts[TRAIN], recipe(1).batch_size)
    windows = window_count(len(sequences), LANGUAGE_RECIPE.bptt_steps)
    program = LanguageProgram(plan, recipe(1))
    program.compile()
    program.start(initial_weights(plan, seed, LANGUAGE_RECIPE.first_weights))
    tried = min(windows, MEASURED)
    begun = time.process_time()
    program.train_epoch(sequences, np.zeros(tried), seed, 0)
    # The last epoch may be a part of one, so that all have the same seconds.
    count = max(1, round(tried * seconds / (time.process_time() - begun)))
    program.start(initial_weights(plan, seed, LANGUAGE_RECIPE.first_weights))
    begun = time.process_time()
    rates = RATE * (1 + np.cos(np.pi * (np.arange(count) + 0.5) / count)) / 2
    for epoch, first in enumerate(range(0, count, windows)):
        program.train_epoch(sequences, rates[first : first + windows], seed, epoch)
    return {
        "width": size.layout.filters[0],
        "parameters": size.amount,
        "epochs": count / windows,
        "seconds": time.process_time() - begun,
        "validation": program.perplexity(parts[VALIDATION]),
        "test": program.perplexity(parts[TEST]),
    }


def rows_of(lines: Sequence[Mapping[str, Any]]) -> str:
    """The table: a row for each cell, the lowest mean perplexity on the test text first."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_name.setdefault(line["name"], []).append(line)
    rows = []
    for name, own in by_name.items():
        test = [line["test"] for line in own]
        spread = f" +- {number(statistics.stdev(test))}" if len(test) > 1 else ""
        rows.append(
            (
                statistics.fmean(test),
                [
                    number(statistics.fmean(test)) + spread,
                    number(statistics.fmean(line["validation"] for line in own)),
                    str(len(own)),
                    f"{own[0]['parameters']:,}",
                    str(own[0]["width"]),
                    number(statistics.fmean(line["epochs"] for line in own), 1),
                    number(statistics.fmean(line["seconds"] for line in own), 1),
                    name,
                ],
            )
        )
    header = ["test", "validation", "seeds", "parameters", "width", "epochs", "seconds", "cell"]
    return table(header, [row for _, row in sorted(rows)])


def steps(width: int, batch: int, words: int, turns: int) -> str:
    """The median seconds of a training step of both LSTMs, and their ratio, turn by turn."""
    import torch

    plan: Plan = design_plan(
        design_of(published()["lstm"]), Layout(LANGUAGE, (width,), 1, 1, 1, 1, words)
    )
    length = LANGUAGE_RECIPE.bptt_steps
    program = LanguageProgram(plan, recipe(1, batch))
    program.compile()
    program.start(initial_weights(plan, 0))
    random = np.random.default_rng(0)
    text = random.integers(0, words, (2 * length + 1, batch)).astype(np.int32)

    embedding = torch.nn.Embedding(words, width)
    cell = torch.nn.LSTMCell(width, width)
    bias = torch.nn.Parameter(torch.zeros(words))
    weights = [*embedding.parameters(), *cell.parameters(), bias]
    given = torch.from_numpy(text.astype(np.int64))

    def ours() -> None:
        program.train_epoch(text, np.ones(1), 0, 0)

    def theirs() -> None:
        """A step by PyTorch."""
        h, c = torch.zeros(batch, width), torch.zeros(batch, width)
        vectors, outputs = embedding(given[:length]), []
        for place in range(length):
            h, c = cell(vectors[place], (h, c))
            outputs.append(h)
        scores = torch.stack(outputs) @ embedding.weight.T + bias
        loss = torch.nn.functional.cross_entropy(
            scores.reshape(-1, words), given[1 : length + 1].reshape(-1)
        )
        gradients = torch.autograd.grad(loss, weights)
        norm = torch.sqrt(sum(torch.sum(each**2) for each in gradients))
        factor = torch.clamp(LANGUAGE_RECIPE.clip_norm / norm, max=1.0)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= factor * gradient

    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for step in (ours, theirs):
        step()
    for _ in range(turns):
        for name, step in (("ours", ours), ("theirs", theirs)):
            begun = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - begun)
    ratios = [b / a for a, b in zip(taken["ours"], taken["theirs"], strict=True)]
    return (
        f"width {width}, batch {batch}, {length} words, vocabulary {words}: "
        f"{1000 * statistics.median(taken['ours']):.1f} ms, PyTorch "
        f"{1000 * statistics.median(taken['theirs']):.1f} ms; PyTorch takes "
        f"{statistics.median(ratios):.2f} times as long (median of {turns} turns)"
    )


def main() -> None:
    """Trains what the ledger lacks, and prints the table."""
    parser = make_parser("recurrent", __doc__)
    parser.add_argument(
        "runs", nargs="*", metavar="RUN_DIR", help="searches whose best cells compete"
    )
    parser.add_argument(
        "--ledger",
        default="recurrent.jsonl",
        type=pathlib.Path,
        help="file with a line for each training",
    )
    parser.add_argument(
        "--parameters", default=150_000, type=int, help="that every model has, within 10 %%"
    )
    parser.add_argument(
        "--seconds", default=60.0, type=float, help="of processor for each training"
    )
    parser.add_argument("--dataset", default="text", help="text or text:PATH, as for search")
    parser.add_argument("--vocabulary", default=1_000, type=int, help="words that are known")
    parser.add_argument("--random", default=4, type=int, help="cells that are drawn")
    parser.add_argument(
        "--seeds", default="0,1,2", type=listed(int), help="of the trainings of each cell"
    )
    parser.add_argument("--only_table", action="store_true", help="train nothing")
    parser.add_argument("--steps", action="store_true", help="measure steps instead")
    parser.add_argument("--turns", default=30, type=int, help="of both, where steps are measured")
    given = parser.parse_args()
    if given.steps:
        for width, batch in ((64, 16), (200, 32)):
            print(steps(width, batch, given.vocabulary, given.turns), flush=True)
        return
    lines = []
    if given.ledger.exists():
        lines = [json.loads(line) for line in given.ledger.read_text(encoding="utf-8").splitlines()]
    known = {(line["name"], line["seed"]) for line in lines}
    text = TextSource(DataSettings(given.dataset, vocabulary=given.vocabulary))
    for seed in given.seeds:
        for name, code in cells(given.random, given.runs).items():
            if given.only_table or (name, seed) in known:
                continue
            found = train(code, text, given.parameters, given.seconds, seed)
            lines.append({"name": name, "seed": seed, "code": write(code)} | found)
            with given.ledger.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
            print(json.dumps(lines[-1]), flush=True)
    print(rows_of(lines))


if __name__ == "__main__":
    main()
