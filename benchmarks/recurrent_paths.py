"""What one program for all recurrent cells of a size costs beside a program for each cell.

The same random cells are trained on random words, a window each, by both. The table has
milliseconds of processor that a step takes, the median over the cells, and seconds of processor
until the first step of a cell that no program was compiled for has ended.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._arguments import make_parser
from blockqnn.children.language_steps import streams
from blockqnn.language_settings import LanguageRecipe
from blockqnn.listing import number, table
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.recurrent.initial import shared_arrays
from blockqnn.networks.spaces.registry import space_named
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.language_paths import LanguagePaths
from blockqnn.supernets.sampling import uniform_path


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Measures, and prints a table."""
    parser = make_parser("recurrent_paths", __doc__)
    parser.add_argument("--nodes", type=int, default=8, help="of a cell")
    parser.add_argument("--width", type=int, default=64, help="numbers of its state")
    parser.add_argument("--words", type=int, default=3000, help="of the vocabulary")
    parser.add_argument("--batch_size", type=int, default=20, help="sequences in a step")
    parser.add_argument("--cells", type=int, default=3, help="that are trained")
    parser.add_argument("--steps", type=int, default=10, help="that are timed of each")
    arguments = parser.parse_args()
    space = space_named("enas_cell", arguments.nodes)
    layout = Layout(LANGUAGE, (arguments.width,), 1, 1, 1, 1, arguments.words)
    language, batch = LanguageRecipe(), arguments.batch_size
    compiled = compiled_for(SupernetSettings(momentum=0.0))
    random = np.random.default_rng(0)
    length = batch * language.bptt_steps * (arguments.steps + 2)
    text = streams(random.integers(arguments.words, size=length).astype(np.int32), batch)
    designs = [space.design(uniform_path(space, {}, random)) for _ in range(arguments.cells)]
    bank = Bank(compiled, 0, first=functools.partial(shared_arrays, within=0.04))
    rates = np.ones(arguments.steps)
    for_all = LanguagePaths(layout, compiled, language, batch, 0.25)
    rows = []
    for name, own in (("one for all", False), ("one for each", True)):
        first, steps = [], []
        for design in designs:
            paths = LanguagePaths(layout, compiled, language, batch, 0.25, own) if own else for_all
            once = functools.partial(paths.train, bank, [design], text, rates[:1], (0, 0))
            first.append(_seconds(once))
            many = [design] * arguments.steps
            all_steps = functools.partial(paths.train, bank, many, text, rates, (0, 1))
            steps.append(1e3 * _seconds(all_steps) / arguments.steps)
        begun = first if own else first[:1]
        rows.append([number(statistics.median(begun)), number(statistics.median(steps), 1), name])
    print(table(["first step s", "step ms", "programs"], rows))


if __name__ == "__main__":
    main()
