"""What random blocks look like: length, types, and how many are infeasible.

Draws COUNT blocks for each exploration and for each preset and prints a table.
Takes some minutes.
"""

from __future__ import annotations

import collections

from benchmarks._arguments import make_parser
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.errors import UserError
from blockqnn.flags.own import PRESET
from blockqnn.flags.preset_files import preset_names
from blockqnn.flags.search import parse
from blockqnn.listing import table
from blockqnn.networks.cost import cost, infeasible_reason
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.networks.spaces.nsc.codes import LayerType
from blockqnn.networks.spaces.registry import design_of, space_named
from blockqnn.settings import SearchSettings


def draw(exploration: str, max_layers: int, count: int) -> list[Code]:
    agent = RandomSearch(space_named("nsc", max_layers), RandomSearchConfig(exploration), seed=0)
    return agent.suggest(count)


def reasons(
    codes: list[Code], settings: SearchSettings, layout: Layout
) -> collections.Counter[str]:
    """Why the children of these blocks would not be trained."""
    counts: collections.Counter[str] = collections.Counter()
    for code in codes:
        block = design_of(code)
        reason = infeasible_reason(
            block,
            cost(block, layout),
            settings.limits,
            settings.recipe.batch_size,
            2 if settings.recipe.bfloat16 else 4,
        )
        if reason is not None:
            counts["no convolution" if reason == "no convolution" else "too large"] += 1
    return counts


def main() -> None:
    """Draws the blocks and prints both tables."""
    parser = make_parser("random_blocks", __doc__)
    parser.add_argument("count", metavar="COUNT", nargs="?", type=int, default=4000, help="blocks")
    count = parser.parse_args().count
    kinds = [kind for kind in LayerType if kind is not LayerType.TERMINAL]
    paper, _ = parse(["--preset=cifar100_paper", "--evaluator=dry"])
    rows = []
    for exploration in ("by_type", "uniform"):
        codes = draw(exploration, 23, count)
        layers = [layer for code in codes for layer in code[:-1]]
        types = collections.Counter(layer.type for layer in layers)
        counts = reasons(codes, paper, paper.layout)
        rows.append(
            [
                f"{len(layers) / count:.1f}",
                *[f"{types[kind] / len(layers):.0%}" for kind in kinds],
                f"{counts['no convolution'] / count:.1%}",
                f"{sum(counts.values()) / count:.1%}",
                exploration,
            ]
        )
    titles = [kind.title.lower() for kind in kinds]
    print("Blocks of at most 23 layers; infeasible by the limits of cifar100_paper:")
    header = ["mean length", *titles, "no convolution", "infeasible", "exploration"]
    print(table(header, rows))
    rows = []
    for name in preset_names():
        if name == PRESET:
            continue  # Its limits follow from the data.
        try:
            settings, _ = parse([f"--preset={name}", "--evaluator=dry"])
        except UserError:
            continue  # Its designs share weights or stand in a table.
        if settings.space != "nsc":
            continue  # Its designs are no blocks.
        codes = draw(settings.agent.exploration, settings.max_layers, count)
        counts = reasons(codes, settings, settings.layout)
        rows.append(
            [
                f"{counts['no convolution'] / count:.1%}",
                f"{counts['too large'] / count:.1%}",
                f"{sum(counts.values()) / count:.1%}",
                name,
            ]
        )
    print("\nWhat each preset refuses of its own random blocks:")
    print(table(["no convolution", "too large", "infeasible", "preset"], rows))


if __name__ == "__main__":
    main()
