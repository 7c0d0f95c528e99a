"""How many signatures random children meet: of whole layers, and of steps over parts.

For each preset draws CHILDREN different feasible blocks and counts what each
child brings that no child had before it. A signature is what is compiled once,
forward and backward. With --match also how many random blocks miss the size, and
how many signatures are compiled again where only so many are kept. Takes some seconds.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Hashable, Sequence

from benchmarks._arguments import make_parser
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.flags.search import parse
from blockqnn.listing import table
from blockqnn.networks.parts import cut_into_steps
from blockqnn.networks.plan import Plan
from blockqnn.networks.sizing import is_about_match
from blockqnn.networks.spaces.registry import design_of, design_plan, space_named
from blockqnn.searching.size import size_of
from blockqnn.trial import with_filters

FIRST = 20
KEPT = (256, 512, 1024)


def different_plans(
    preset: str, count: int, flags: Sequence[str] = (), missed: dict[str, str] | None = None
) -> list[Plan]:
    """Plans of different random blocks that are feasible under a preset.

    Args:
        preset: of a search.
        count: how many.
        flags: of the search, which override the preset's.
        missed: takes the reasons of blocks that cannot have the wanted size, by their hashes.

    Returns:
        The plans.
    """
    settings, _ = parse([f"--preset={preset}", "--evaluator=dry", *flags])
    exploration = RandomSearchConfig(settings.agent.exploration)
    agent = RandomSearch(space_named("nsc", settings.max_layers), exploration, seed=0)
    plans: dict[str, Plan] = {}
    while len(plans) < count:
        block = design_of(agent.suggest(1)[0])
        size = size_of(block, settings)
        if size.reason is None:
            layout = with_filters(settings.layout, size.filters)
            plans.setdefault(block.hash, design_plan(block, layout))
        elif missed is not None and is_about_match(size.reason):
            missed[block.hash] = size.reason
    return list(plans.values())


def compiled_where_kept(children: Sequence[Sequence[Hashable]], kept: int) -> int:
    """How many signatures are compiled where the least recently used one makes room.

    Args:
        children: the signatures of each, in the order in which they are trained.
        kept: at a time.

    Returns:
        Their number, those that are compiled again included.
    """
    programs = functools.lru_cache(kept)(lambda signature: signature)
    for signatures in children:
        for signature in signatures:
            programs(signature)
    return programs.cache_info().misses


def main() -> None:
    """Counts and prints the table."""
    parser = make_parser("signatures", __doc__)
    parser.add_argument(
        "children",
        metavar="CHILDREN",
        nargs="?",
        type=int,
        default=200,
        help="blocks that are drawn",
    )
    parser.add_argument(
        "presets",
        metavar="PRESET",
        nargs="*",
        default=["digits", "cifar10_cpu"],
        help="whose limits and layout they have",
    )
    parser.add_argument(
        "--match", default="", help="the size of every child, as for search; empty for none"
    )
    parser.add_argument("--filters", default="", help="as for search; empty for the preset's")
    given = parser.parse_args()
    children, presets = given.children, given.presets
    flags = [f"--{name}={getattr(given, name)}" for name in ("match", "filters")]
    flags = [flag for flag in flags if not flag.endswith("=")]
    rows = []
    missed: dict[str, str] = {}
    for preset in presets:
        missed.clear()
        plans = different_plans(preset, children, flags, missed)
        if given.match:
            share = len(missed) / (len(missed) + len(plans))
            print(f"{preset}: {len(missed)} blocks, {100 * share:.0f} %, cannot be {given.match}")
        for unit in ("layers", "steps"):
            cut = [plan[1:] if unit == "layers" else cut_into_steps(plan)[1:] for plan in plans]
            own = [list(dict.fromkeys(element.signature for element in each)) for each in cut]
            met = len(set(itertools.chain.from_iterable(own)))
            first = len(set(itertools.chain.from_iterable(own[:FIRST])))
            late = (met - first) / max(1, children - FIRST)
            compiled = [str(compiled_where_kept(own, kept)) for kept in KEPT]
            rows.append([str(met), str(first), f"{late:.2f}", *compiled, unit, preset])
    print(f"{children} different children; new a child: after the first {FIRST}")
    kept = [f"compiled, {kept:,} kept" for kept in KEPT]
    header = ["signatures", f"of the first {FIRST}", "new a child", *kept, "of", "preset"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
