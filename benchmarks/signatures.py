"""How many signatures random children meet: of whole layers, and of steps over parts.

For each preset draws CHILDREN different feasible blocks and counts what each
child brings that no child had before it. A signature is what is compiled once,
forward and backward. Takes some seconds.
"""

from __future__ import annotations

from benchmarks._arguments import make_parser
from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.flags.search import parse
from blockqnn.listing import table
from blockqnn.networks.cost import cost, infeasible_reason
from blockqnn.networks.parts import cut_into_steps
from blockqnn.networks.plan import Plan
from blockqnn.networks.spaces.registry import design_of, design_plan, space_named

FIRST = 20


def different_plans(preset: str, count: int) -> list[Plan]:
    """Plans of different random blocks that are feasible under a preset."""
    settings, _ = parse([f"--preset={preset}", "--evaluator=dry"])
    exploration = RandomSearchConfig(settings.agent.exploration)
    agent = RandomSearch(space_named("nsc", settings.max_layers), exploration, seed=0)
    plans: dict[str, Plan] = {}
    while len(plans) < count:
        block = design_of(agent.suggest(1)[0])  # type: ignore[arg-type]
        spent = cost(block, settings.layout)
        batch = settings.recipe.batch_size
        if infeasible_reason(block, spent, settings.limits, batch, 4) is None:
            plans.setdefault(block.hash, design_plan(block, settings.layout))
    return list(plans.values())


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
    given = parser.parse_args()
    children, presets = given.children, given.presets
    rows = []
    for preset in presets:
        plans = different_plans(preset, children)
        for unit in ("layers", "steps"):
            met: set[object] = set()
            first = 0
            for number, plan in enumerate(plans, start=1):
                own = plan[1:] if unit == "layers" else cut_into_steps(plan)[1:]
                met |= {element.signature for element in own}
                first = len(met) if number == FIRST else first
            late = (len(met) - first) / (children - FIRST)
            rows.append([str(len(met)), str(first), f"{late:.2f}", unit, preset])
    print(f"{children} different children; new a child: after the first {FIRST}")
    print(table(["signatures", f"of the first {FIRST}", "new a child", "of", "preset"], rows))


if __name__ == "__main__":
    main()
