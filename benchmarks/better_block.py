"""Does a search find a better block than a person would have picked?

Agents search for blocks of one number of parameters, each some times, and their best
trials play finals; then each search's winner, the blocks that a person would pick and a
random block, all brought to that number of parameters, are trained to the end by one
recipe and measured on images that no search has seen. The table has each one's test
error, and the probability by Welch's test that it differs from the best picked block's
by chance.

`--setting=cifar10` is CIFAR-10 averaged to 16x16 pixels, `--setting=digits` the 8x8
digits in five folds, each with searches of its own, so that all 1,797 images judge; there
the test pairs the folds. What is done is kept in --out, and the same command goes on;
seconds count what was spent before, too.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import queue
import sys

from benchmarks._arguments import listed, make_parser
from benchmarks._better_block_data import FOLDS, Fold, folds
from benchmarks._better_block_steps import Ledger, run_step
from benchmarks._better_block_table import Trained, in_words
from blockqnn.full_training.directory import read_result
from blockqnn.inspection.block_reference import resolve
from blockqnn.networks.layout import Layout
from blockqnn.networks.sizing import Match, matched
from blockqnn.networks.spaces.registry import design_of, parse, published, write
from blockqnn.runs.run_record import read_run

PICKED = {
    "residual": write(published()["residual"]),
    "inception": write(published()["inception"]),
    "block-qnn-a": write(published()["block-qnn-a"]),
    "block-qnn-b": write(published()["block-qnn-b"]),
    "block-qnn-s": write(published()["block-qnn-s"]),
    "one 3x3": "[(1,1,3,0,0),(2,7,0,0,0)]",
    "two 3x3": "[(1,1,3,0,0),(2,1,3,1,0),(3,7,0,0,0)]",
    "three 3x3": "[(1,1,3,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,7,0,0,0)]",
    "3x3, max pooling": "[(1,1,3,0,0),(2,2,3,1,0),(3,7,0,0,0)]",
}
"""What a person would take without a search."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is searched, and how winners are trained.

    Attributes:
        match: the size of all blocks.
        filters: of the layout, whose ratio every block keeps.
        side: height and width of the images in pixels.
        channels: of the images.
        search: flags of every search.
        rounds: of the finals.
        train: flags of every training, with the recipe.
        epochs: of a training.
    """

    match: Match
    filters: tuple[int, ...]
    side: int
    channels: int
    search: tuple[str, ...]
    rounds: str
    train: tuple[str, ...]
    epochs: int

    def layout(self) -> Layout:
        """What a block stands in before it is brought to size."""
        return Layout(
            filters=self.filters,
            repeats=1,
            height=self.side,
            width=self.side,
            channels=self.channels,
        )


MODERN = (
    *("--schedule=cosine", "--warmup_epochs=2", "--nesterov", "--nodecay_norm"),
    *("--label_smoothing=0.1", "--ema_decay=0.99"),
)
"""What `train_modern` does beyond the paper, as far as it suits so few epochs."""

SETTINGS = {
    "cifar10": Setting(
        match=Match("parameters", 75_000),
        filters=(16, 32, 64),
        side=16,
        channels=3,
        search=("--train_examples=10000", "--validation_examples=4000", "--epochs=3"),
        rounds="20:3,8:9,4:18",
        train=("--preset=train_cifar10_cpu", "--crop_padding=2"),
        epochs=15,
    ),
    "digits": Setting(
        match=Match("parameters", 10_000),
        filters=(16, 32),
        side=8,
        channels=1,
        search=("--epochs=4",),
        rounds="24:4:2,8:12:3,4:36:3",
        train=("--preset=train_digits",),
        epochs=30,
    ),
}


def searched(own: argparse.Namespace, ledger: Ledger, fold: Fold, agent: str, seed: int) -> str:
    """Carries a search and its finals out, unless that was done; returns the run's directory."""
    setting = SETTINGS[own.setting]
    name, _, unmatched = agent.partition("-without-")
    run_dir = own.out / "searches" / f"{fold.name}-{agent}-{seed}"
    flags = [
        f"--run_dir={run_dir}",
        "--preset=digits",
        f"--dataset=npz:{fold.path}",
        f"--filters={','.join(map(str, setting.filters))}",
        "--repeats=1",
        "--max_flops=0",
        "--batch_size=64",
        "--exploration=uniform",
        "--mu=0",
        "--rho=0",
        f"--max_layers={own.max_layers}",
        f"--max_blocks={own.blocks}",
        f"--agent={name}",
        f"--seed={seed}",
        *setting.search,
    ]
    if not unmatched:
        flags.append(f"--match={setting.match}")
    step = f"search {run_dir.name}"
    run_step(ledger, step, ["search", *flags], own.out / "logs")
    rounds = own.rounds or setting.rounds
    finals = ["finals", str(run_dir), f"--rounds={rounds}"]
    run_step(ledger, f"finals {run_dir.name}", finals, own.out / "logs")
    return str(run_dir)


def of_run(reference: str) -> str:
    """The code of a run's block."""
    return write(resolve(reference, 10_000).code)


def median_block(run_dir: str) -> str:
    """The code whose reward is the median of a run's."""
    best = read_run(pathlib.Path(run_dir)).best(1_000_000)
    return write(best[len(best) // 2].code)


def trained(
    own: argparse.Namespace, ledger: Ledger, wanted: list[tuple[Fold, str, str, int]]
) -> list[Trained]:
    """Trains codes at the size of the setting, some at once, each bound to a core.

    Args:
        own: the arguments.
        ledger: of what is done.
        wanted: fold, title, code and seed of each training.

    Returns:
        What came of each.
    """
    setting = SETTINGS[own.setting]
    cores: queue.Queue[int] = queue.Queue()
    for core in range(own.jobs):
        cores.put(core)
    recipe = MODERN if own.recipe == "modern" else ()
    epochs = own.epochs or setting.epochs
    milestones = ",".join(map(str, sorted({epochs // 2, epochs * 3 // 4})))
    more = [] if recipe else [f"--milestones={milestones}"]

    def train(one: tuple[Fold, str, str, int]) -> Trained:
        """Waits for a core, trains there unless that was done, and reads what came of it."""
        fold, title, code, seed = one
        sized = matched(design_of(parse(code, 10_000)), setting.layout(), setting.match)
        filters = ",".join(map(str, sized.layout.filters))
        name = f"{own.recipe}-{epochs}-{fold.name}-{design_of(parse(code, 10_000)).hash}-{seed}"
        directory = own.out / "trainings" / name
        core = cores.get()
        try:
            if read_result(directory) is None:
                flags = [f"--dataset=npz:{fold.path}", f"--filters={filters}", "--repeats=1"]
                flags += [f"--seed={seed}", f"--out_dir={directory}", f"--epochs={epochs}"]
                words = ["train", code, *setting.train, *more, *recipe, *flags]
                run_step(ledger, f"train {name}", words, own.out / "logs", core)
        finally:
            cores.put(core)
        result = read_result(directory)
        assert result is not None
        seconds = ledger.seconds.get(f"train {name}", float(result["seconds"]))
        error = float(result["test"]["error"])
        return Trained(title, fold.name, seed, error, sized.amount, filters, code, seconds)

    with concurrent.futures.ThreadPoolExecutor(own.jobs) as pool:
        return list(pool.map(train, wanted))


def main() -> None:
    """Searches, trains, and prints the table."""
    parser = make_parser("better_block", __doc__)
    parser.add_argument("--setting", choices=SETTINGS, default="cifar10", help="which images")
    parser.add_argument("--data_dir", default="", help="where CIFAR-10 is prepared")
    parser.add_argument(
        "--agents",
        type=listed(str),
        default="random,local_search,q_learning_plus,evolution,q_learning",
        help="who searches; AGENT-without-match searches at the layout's filters",
    )
    parser.add_argument("--blocks", type=int, default=150, help="trained by a search")
    parser.add_argument("--max_layers", type=int, default=8, help="of a block")
    parser.add_argument("--searches", type=int, default=3, help="by each agent on each fold")
    parser.add_argument("--folds", type=int, default=FOLDS, help="of the digits that are used")
    parser.add_argument("--rounds", default="", help="of the finals; empty for the setting's")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each block on each fold")
    parser.add_argument("--epochs", type=int, default=0, help="of them; 0 for the setting's")
    parser.add_argument("--recipe", choices=("paper", "modern"), default="paper", help="of them")
    parser.add_argument("--early", action="store_true", help="the best by reward too, untouched")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, one a core")
    parser.add_argument("--out", type=pathlib.Path, default="runs/better_block", help="folder")
    own = parser.parse_args()
    (own.out / "logs").mkdir(parents=True, exist_ok=True)
    ledger = Ledger(own.out / "steps.json")
    data = folds(own.setting, SETTINGS[own.setting].side, own.data_dir, own.out, own.folds)
    seeds = range(own.seeds)
    wanted = [(f, title, code, s) for title, code in PICKED.items() for f in data for s in seeds]
    results = trained(own, ledger, wanted)
    print(in_words(results, set(PICKED), ledger), flush=True)
    for search_seed in range(own.searches):
        for agent in own.agents:
            wanted = []
            for fold in data:
                run_dir = searched(own, ledger, fold, agent, search_seed)
                chosen = {f"{agent}, finals": of_run(f"{run_dir}#best")}
                if own.early:
                    chosen[f"{agent}, by reward alone"] = of_run(f"{run_dir}#best_early")
                if agent == "random":
                    chosen["a random block"] = median_block(run_dir)
                for title, code in chosen.items():
                    # Each search is a sample; its winner's seeds are averaged.
                    wanted += [(fold, f"{title}#{search_seed}", code, s) for s in seeds]
            results += trained(own, ledger, wanted)
            print(f"\n{in_words(results, set(PICKED), ledger)}", flush=True)
    rows = [dataclasses.asdict(one) for one in results]
    (own.out / "table.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
