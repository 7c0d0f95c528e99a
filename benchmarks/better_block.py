"""Does a search find a better block than a person would have picked?

Agents search for blocks of one number of parameters, each some times, and their best
trials play finals; then each search's winner, the blocks that a person would pick and a
random block, all brought to that number of parameters, are trained to the end by one
recipe and measured on images that no search has seen. The table has each one's test
error, and the probability by Welch's test that it differs by chance from the best picked
block's, and from the winner's of random search.

`--setting=cifar10` is CIFAR-10 averaged to 16x16 pixels, `--setting=digits` the 8x8
digits in five folds, each with searches of its own, so that all 1,797 images judge; there
the test pairs the folds. What is done is a line of the ledger, and the same command goes
on; `--only_table` makes the table of a ledger, and more agents, seeds or sizes add to it.
"""

from __future__ import annotations

import argparse
import itertools
import pathlib
import sys
from typing import Any

from benchmarks._arguments import listed, make_parser
from benchmarks._better_block_data import FOLDS, Fold, folds
from benchmarks._better_block_settings import (
    BLOCKS,
    CELLS_PICKED,
    PICKED,
    SEARCH_RECIPES,
    SETTINGS,
    SPACES,
)
from benchmarks._better_block_steps import Ledger, file_name, run_step
from benchmarks._better_block_table import BY, Chosen, chosen, in_words
from benchmarks._better_block_training import train_all, training
from blockqnn.flags.flag_text import parse_match
from blockqnn.inspection.block_reference import resolve
from blockqnn.networks.spaces.registry import parse, write
from blockqnn.runs.run_record import read_run
from blockqnn.settings import ONE_CYCLE, STEPS

WITHOUT_MATCH, FROM_PICKED = "without-match", "from-picked"
VARIANTS = ("", WITHOUT_MATCH, FROM_PICKED)


def searched(
    own: argparse.Namespace, ledger: Ledger, fold: Fold, space: str, agent: str, seed: int
) -> None:
    """Carries a search and its finals out, unless that was done.

    Args:
        own: the arguments.
        ledger: of what is done; it gets the codes of the winner, of the best by reward and of
            the block of median reward.
        fold: of the images.
        space: that is searched.
        agent: who searches, perhaps `-without-match` or `-from-picked`.
        seed: of the search.
    """
    setting = SETTINGS[own.setting]
    name, _, variant = agent.partition("-")
    if variant not in VARIANTS:
        sys.exit(f"--agents has {agent}; allowed after an agent: {', '.join(VARIANTS)}")
    facts = {"fold": fold.name, "agent": agent, "seed": seed, "blocks": own.blocks}
    facts["schedule"] = own.schedule
    images, rounds = own.search_images or setting.images, own.rounds or setting.rounds
    length = f"{own.search_seconds}s" if own.search_seconds else own.blocks
    step = f"{fold.name} {agent} {length} {images} {own.max_layers} {rounds} {seed}"
    # The first steps of the ledger are older than schedules, recipes, seconds and spaces.
    if own.schedule == ONE_CYCLE:
        step = f"{ONE_CYCLE} {step}"
    if own.search_recipe != "adam":
        step, facts["recipe"] = f"{own.search_recipe} {step}", own.search_recipe
    if own.held_out:
        step, facts["held_out"] = f"{own.held_out} held out {step}", own.held_out
    if own.search_seconds:
        facts["seconds"] = own.search_seconds
    if space != BLOCKS:
        step, facts["space"] = f"{space} {step}", space
    run_dir = own.out / "searches" / file_name(step)
    layout = setting.layout(space)
    hours = own.search_seconds / 3600
    flags = [
        f"--run_dir={run_dir}",
        "--preset=digits",
        f"--dataset=npz:{fold.path}",
        f"--space={space}",
        f"--layout={layout.kind}",
        f"--filters={','.join(map(str, layout.filters))}",
        "--repeats=1",
        "--max_flops=0",
        "--batch_size=64",
        "--exploration=uniform",
        "--mu=0",
        "--rho=0",
        f"--max_layers={own.max_layers}",
        f"--max_hours={hours}" if hours else f"--max_blocks={own.blocks}",
        f"--agent={name}",
        f"--seed={seed}",
        f"--train_examples={images}",
        *setting.search,
    ]
    if own.schedule == ONE_CYCLE:
        flags += [f"--schedule={ONE_CYCLE}", *SEARCH_RECIPES[own.search_recipe]]
    if own.held_out:
        flags.append(f"--validation_examples={own.held_out}")
    if variant != WITHOUT_MATCH:
        flags.append(f"--match={setting.match}")
    if variant == FROM_PICKED:
        # Terminal is a layer of the code that --max_layers does not count.
        short = [code for code in PICKED.values() if len(parse(code)) <= own.max_layers + 1]
        flags.append(f"--first_blocks={';'.join(short)}")

    def after_search() -> dict[str, Any]:
        """The blocks of a search that has not played finals."""
        ranked = read_run(run_dir).by_reward
        early, median = ranked[0], ranked[len(ranked) // 2]
        codes = {"early": write(early.code), "median": write(median.code)}
        return {**facts, **codes, "trained": len(ranked)}

    def after_finals() -> dict[str, Any]:
        """The winner."""
        return {**facts, "winner": write(resolve(f"{run_dir}#best", 10_000).code)}

    logs = own.out / "logs"
    run_step(ledger, f"search {step}", ["search", *flags], logs, after_search)
    name = f"finals {step}"
    if own.finals_flags:
        name += f"{BY}{' '.join(own.finals_flags)}"
        facts["finals"] = ", ".join(flag.partition("=")[2] for flag in own.finals_flags)
    # A ledger that came from elsewhere has winners of runs that are not here.
    if run_dir.exists() or ledger.result(name) is None:
        words = ["finals", str(run_dir), f"--rounds={rounds}"]
        words += [f"--train_examples={setting.images}"] if setting.images else []
        words += own.finals_flags
        # Earlier ones of the run may have had another recipe.
        words += [] if name in ledger.entries else ["--again"]
        run_step(ledger, name, words, logs, after_finals)


def main() -> None:
    """Searches, trains, and prints the table."""
    parser = make_parser("better_block", __doc__)
    parser.add_argument("--setting", choices=SETTINGS, default="cifar10", help="which images")
    parser.add_argument("--data_dir", default="", help="where CIFAR-10 is prepared")
    parser.add_argument(
        "--agents",
        type=listed(str),
        default="random,local_search,q_learning_plus,evolution,q_learning",
        help="who searches; AGENT-without-match searches at the layout's filters, "
        "AGENT-from-picked begins with the blocks that a person would pick; none for none",
    )
    parser.add_argument(
        "--spaces", type=listed(str), default=BLOCKS, help=f"that are searched: {', '.join(SPACES)}"
    )
    parser.add_argument("--blocks", type=int, default=150, help="trained by a search")
    parser.add_argument(
        "--search_seconds", type=int, default=0, help="of a search, in the place of --blocks"
    )
    parser.add_argument("--max_layers", type=int, default=8, help="of a block")
    parser.add_argument("--searches", type=int, default=3, help="by each agent on each fold")
    parser.add_argument("--folds", type=int, default=FOLDS, help="of the digits that are used")
    parser.add_argument(
        "--schedule", choices=(ONE_CYCLE, STEPS), default=ONE_CYCLE, help="of searches and finals"
    )
    parser.add_argument(
        "--search_recipe",
        choices=SEARCH_RECIPES,
        default="adam",
        help="of searches in one cycle, and of finals that have none of their own",
    )
    parser.add_argument("--search_images", type=int, default=0, help="of searches, not of finals")
    parser.add_argument(
        "--held_out", type=int, default=0, help="images to judge by; 0 for the setting's"
    )
    parser.add_argument("--rounds", default="", help="of the finals; empty for the setting's")
    parser.add_argument(
        "--finals_flags",
        type=listed(str),
        default=(),
        help="of their own, with commas between them, such as those of a recipe",
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each block on each fold")
    parser.add_argument("--epochs", type=int, default=0, help="of them; 0 for the setting's")
    parser.add_argument("--recipe", choices=("paper", "modern"), default="paper", help="of them")
    parser.add_argument("--image_size", type=int, default=0, help="of them; 0 for the setting's")
    parser.add_argument("--match", type=parse_match, help="their size instead of the setting's")
    parser.add_argument("--only", type=listed(str), help="train the blocks whose title begins so")
    parser.add_argument("--early", action="store_true", help="the best by reward too")
    parser.add_argument(
        "--codes", type=lambda text: text.split(";"), default=[], help="more blocks, ; between them"
    )
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, one a core")
    parser.add_argument("--out", type=pathlib.Path, default="runs/better_block", help="folder")
    parser.add_argument("--ledger", type=pathlib.Path, help="file; OUT/ledger.jsonl if not given")
    parser.add_argument("--only_table", action="store_true", help="print what the ledger has")
    own = parser.parse_args()
    if unknown := sorted(set(own.spaces) - set(SPACES)):
        parser.error(f"--spaces has {unknown[0]}; allowed: {', '.join(SPACES)}")
    ledger = Ledger(own.ledger or own.out / "ledger.jsonl")

    def known() -> list[Chosen]:
        """The blocks of the table."""
        return [*chosen(ledger, own.early), *(Chosen(code, code, "") for code in own.codes)]

    def show() -> None:
        """Prints the table of what is done by now."""
        blocks = [(one, training(own, one.code)[0]) for one in known()]
        print(f"\n{in_words(blocks, {*PICKED, *CELLS_PICKED}, ledger)}", flush=True)

    if own.only_table:
        show()
        return
    own.out.mkdir(parents=True, exist_ok=True)
    side = own.image_size or SETTINGS[own.setting].side
    data = folds(own.setting, side, own.data_dir, own.out, own.folds)
    searching = folds(own.setting, SETTINGS[own.setting].side, own.data_dir, own.out, own.folds)

    def train_chosen() -> None:
        """Trains every block that is known by now."""
        wanted = []
        for one in known():
            if own.only and not one.title.startswith(tuple(own.only)):
                continue
            on = [fold for fold in data if one.fold in ("", fold.name)]
            wanted += [(fold, one.code, seed) for fold in on for seed in range(own.seeds)]
        train_all(own, ledger, list(dict.fromkeys(wanted)))
        show()

    train_chosen()
    for seed in range(own.searches):
        for agent, space in itertools.product(own.agents, own.spaces):
            if agent == "none":
                continue
            for fold in searching:
                searched(own, ledger, fold, space, agent, seed)
            train_chosen()


if __name__ == "__main__":
    main()
