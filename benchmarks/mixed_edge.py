"""What a step of a mixture of DARTS's operations costs beside PyTorch's: one cell of 14 edges.

As `bench --mixture=darts` measures it, for several sizes of images: both train the same search
network of one normal cell, alpha included, in processes of their own that take turns. The table has
milliseconds of a step, the median of the turns, the median ratio, and that of the fastest turns,
which suffer least from what else runs.
"""

from __future__ import annotations

import sys

from benchmarks._arguments import listed, make_parser
from blockqnn.bench.mixture_steps import measured, refuse
from blockqnn.errors import UserError
from blockqnn.flags.bench import parse
from blockqnn.listing import number, table


def main() -> None:
    """Measures, and prints a table."""
    parser = make_parser("mixed_edge", __doc__)
    parser.add_argument("--sides", type=listed(int), default="8,16", help="of images, pixels")
    parser.add_argument("--space", default="darts", help="whose operations are mixed")
    parser.add_argument("--filters", type=int, default=8, help="channels of each edge")
    parser.add_argument("--steps", type=int, default=20, help="of each framework, in five turns")
    parser.add_argument("--batch_size", type=int, default=64, help="images in a step")
    parser.add_argument("--cores", type=int, default=0, help="of a processor; 0 for all")
    own = parser.parse_args()
    rows = []
    for side in own.sides:
        words = [f"--mixture={own.space}", f"--filters={own.filters}", "--cells=1"]
        words += [f"--image_size={side}", f"--steps={own.steps}", f"--cores={own.cores}"]
        try:
            settings = parse([*words, f"--batch_size={own.batch_size}"])
            refuse(settings)
            found = measured(settings)
        except UserError as error:
            sys.exit(str(error))
        milliseconds = (1e3 * found[name] for name in ("step_seconds", "torch_step_seconds"))
        rows.append(
            [
                f"{side}x{side}",
                *(number(each, 1) for each in milliseconds),
                number(found["ratio"]),
                number(found["fastest_ratio"]),
            ]
        )
    print(table(["images", "chain, ms", "PyTorch, ms", "ratio", "of the fastest turns"], rows))


if __name__ == "__main__":
    main()
