"""Searches whose designs share weights: the real command, its parts, and its interruptions."""

import collections
import contextlib
import dataclasses
import json
import re
import subprocess

import jax
import numpy as np
import pytest

from blockqnn.errors import UserError
from blockqnn.evaluation.path_teaching import PathsOnImages
from blockqnn.flags.search import parse as parse_search
from blockqnn.networks.cost import cost
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, parse, published, space_named
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import EPOCHS
from blockqnn.searching.heading import search_heading
from blockqnn.searching.supernet_paths import CONTROL, WHOLE, bank_numbers, part_name, parts_of
from blockqnn.searching.supernet_steps import EpochSize
from blockqnn.supernet_settings import SupernetSettings
from blockqnn.supernets.sampling import fair_paths, uniform_path
from tests.blockqnn.searching.killed_searches import command, ended, kill_after
from tests.long_ones import marked
from tests.paths import ROOT

CELLS = space_named("nasbench201", None)
SMALL = (
    "--preset=smoke",
    "--space=nasbench201",
    "--layout=nasbench201",
    "--dataset=synthetic:8x8x1:3:240",
    "--evaluator=train",
    "--executor=inline",
    "--filters=2,4",
    "--repeats=1",
    "--max_flops=0",
    "--max_parameters=0",
    "--weights=shared",
    "--supernet_epochs=2",
    "--supernet_batch_size=32",
    "--recalibration_batches=2",
    "--agent=random",
    "--epsilon_schedule=1.0:1",
    "--blocks_per_iteration=5",
    "--exploration=uniform",
    "--mu=0",
    "--rho=0",
)
NO_PROGRAM = ("--space=nasnet", "--layout=cells", "--cell_rules=enas_search")
SPLIT = (*SMALL, "--split=1<-0", "--split_epochs=1", "--control")


def facts_of(run_dir):
    with contextlib.closing(Store.open_read_only(run_dir / "store.sqlite")) as store:
        return store.facts()


def epochs_of(run_dir):
    return facts_of(run_dir).get(EPOCHS, [])


def test_designs_are_scored_by_a_supernet_that_was_trained_first(blockqnn):
    status, out, err = blockqnn("search", *SMALL, "--run_dir=run")
    assert (status, err) == (0, "")
    assert "Supernet:  2 epochs in batches of 32, uniform paths, momentum from 0.025" in out
    assert "the test split is never looked at" in out
    assert re.search(r"[\d.]+ k parameters, [\d.]+ kB with the optimiser's state\.", out)
    assert re.search(r"epoch 2 of 2, loss \d", out)
    assert "5 trials: 5 scored, 0 known, 0 infeasible, 0 failed" in out
    assert "SHARED WEIGHTS" in out
    for verb in ("show", "trials"):
        status, out, err = blockqnn(verb, "run")
        assert (status, err) == (0, "") and "SHARED WEIGHTS" in out, verb
    record = read_run(blockqnn.directory / "run")
    assert all(len(trial.accuracies) == 1 for trial in record.by_reward)
    assert [each["part"] for each in epochs_of(blockqnn.directory / "run")] == [WHOLE] * 2
    assert all(each["images"] == 192 for each in epochs_of(blockqnn.directory / "run"))
    # The same command ends at once, and says the same.
    again = blockqnn("search", *SMALL, "--run_dir=run")
    assert again[0] == 0 and "Training the supernet" not in again[1]


def test_a_supernet_may_be_without_scale_and_shift_and_its_designs_are_with_them(blockqnn):
    status, _out, err = blockqnn(
        "search", *SMALL, "--run_dir=run", "--norm_scale=false", "--check=2", "--epochs=1"
    )
    assert (status, err) == (0, "")
    (bank,) = (blockqnn.directory / "run" / "banks").glob("whole-0002")
    keys = json.loads((bank / "bank.json").read_text())["keys"]
    norms = [key for key in keys if "batch norm" in key]
    assert {"without scale" in key for key in norms if "/cell" in key} == {True}
    assert {"without scale" in key for key in norms if "/cell" not in key} == {False}
    # The trial says what the design costs by itself, with scale and shift.
    layout = Layout("nasbench201", (2, 4), 1, 8, 8, 1, 3)
    for trial in read_run(blockqnn.directory / "run").by_reward:
        assert trial.parameters == cost(design_of(trial.code), layout).parameters
    status, _out, err = blockqnn("search", *SMALL, "--run_dir=run")
    assert status == 2 and "norm_scale" in err


def test_images_of_a_supernet_may_be_changed_before_each_epoch(blockqnn):
    losses = []
    for number, flags in enumerate([(), ("--augmentation=padded",), ("--augmentation=padded",)]):
        status, out, err = blockqnn("search", *SMALL, f"--run_dir=run{number}", *flags)
        assert (status, err) == (0, "")
        assert ("images padded and mirrored at random" in out) == bool(flags)
        epochs = epochs_of(blockqnn.directory / f"run{number}")
        losses.append([each["loss"] for each in epochs])
    assert losses[0] != losses[1] == losses[2]


def test_a_split_supernet_scores_each_design_by_the_part_that_owns_it(blockqnn):
    status, out, err = blockqnn("search", *SPLIT, "--run_dir=run")
    assert (status, err) == (0, "")
    assert "then 5 parts along 1<-0, each 1 epoch more, and the control" in out
    counts = collections.Counter(each["part"] for each in epochs_of(blockqnn.directory / "run"))
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert counts == {WHOLE: 2, CONTROL: 5, **{f"1from0-{each}": 1 for each in operations}}
    kept = {path.name for path in (blockqnn.directory / "run" / "banks").iterdir()}
    assert {"whole-0002", "control-0005", "1from0-none-0001"} <= kept
    assert "control-0003" not in kept and not any("unfinished" in name for name in kept)


def test_scores_are_checked_by_networks_of_their_own(blockqnn):
    status, out, err = blockqnn("search", *SMALL, "--run_dir=run", "--check=4", "--epochs=1")
    assert (status, err) == (0, "")
    assert "Training 4 designs with weights of their own, 1 epoch each" in out
    assert "score by shared weights" in out
    assert "number of parameters" in out and "95 % bootstrap intervals" in out
    found = facts_of(blockqnn.directory / "run")["shared_check"]
    assert len(found) == 4
    again = blockqnn("search", *SMALL, "--run_dir=run", "--check=4", "--epochs=1")
    assert "Training 4" not in again[1] and again[1].splitlines()[-3:] == out.splitlines()[-3:]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--space=nsc", "--layout=cifar"), "hardly share a layer; --weights=shared does not go"),
        (("--space=nasnet", "--layout=cells"), "only under --cell_rules=enas_search"),
        (("--space=nas", "--layout=whole"), "hardly share a layer"),
        (("--space=enas_macro", "--layout=whole"), "only under --network_rules=sum_skips"),
        (("--split=1<-0",), "--split and --split_epochs go together"),
        (("--split=9<-0", "--split_epochs=1"), "--split names the edge '9<-0'; allowed: 1<-0, 2<-"),
        (("--split=1<-0,1<-0", "--split_epochs=1"), "names an edge twice"),
        (("--control",), "--control is the control of --split"),
        (("--agent_updates=3",), "--agent_updates needs --paths=agent"),
        (("--paths=agent", "--agent=evolution"), "evolution keeps episodes besides. Allowed: rand"),
        (("--evaluator=dry",), "does not go with --evaluator=dry"),
        (("--match=parameters:9k",), "--match gives each child filters of its own"),
        (("--space=darts", "--layout=cells", "--paths=fair"), "--paths=fair needs edges"),
        ((*NO_PROGRAM, "--execution=whole"), "wider than those that add, so --execution=whole can"),
        ((*NO_PROGRAM, "--devices_per_worker=2"), "2 devices of --devices_per_worker could share"),
        (("--supernet_batch_size=4000",), "A step of the supernet takes 4000 images"),
    ],
)
def test_what_does_not_go_together_is_said_in_a_sentence(blockqnn, flags, words):
    status, _, err = blockqnn("search", *SMALL, "--run_dir=run", *flags)
    assert status == 2 and words in err, err
    assert len(err.strip().splitlines()) == 1


def test_a_space_without_one_program_for_all_paths_says_so_before_it_begins():
    def said(*flags):
        return search_heading(*parse_search([*SMALL, *flags]))

    words = "Layer by layer on every device: nodes of the space nasnet that concatenate are wider"
    assert words in said(*NO_PROGRAM, "--execution=auto")
    assert "on every device" not in said(*NO_PROGRAM, "--execution=layers")
    assert "on every device" not in said("--execution=auto")


def test_a_run_keeps_whose_weights_it_has(blockqnn):
    blockqnn("search", *SMALL, "--run_dir=run")
    own = [flag for flag in SMALL if "supernet" not in flag and "recalibration" not in flag]
    status, _, err = blockqnn("search", *own, "--run_dir=run", "--weights=own")
    assert status == 2 and "begun with --weights=shared" in err


def test_flags_of_a_supernet_belong_to_it(blockqnn):
    status, _, err = blockqnn("search", "--preset=smoke", "--supernet_epochs=3")
    assert status == 2
    assert "--supernet_epochs belongs to shared or mixture; this search's weights is own." in err


def test_a_bank_has_the_published_number_of_parameters():
    layout = Layout(filters=(16, 32, 64), repeats=5, kind="nasbench201")
    # With scale and shift in all cells.
    assert bank_numbers(CELLS, layout) == 1_699_546
    small = dataclasses.replace(layout, repeats=1, filters=(8, 16, 32))
    # 99,378 without scale and shift in its cells, which are two times 12 norms for each stage.
    assert bank_numbers(CELLS, small) == 99_378 + 2 * 12 * (8 + 16 + 32)


def test_parts_are_the_product_of_the_operations_on_the_edges():
    for count, edges in ((5, ("1<-0",)), (25, ("1<-0", "2<-0")), (125, ("1<-0", "3<-0", "3<-2"))):
        settings = SupernetSettings(epochs=3, split=edges, split_epochs=2, control=True)
        parts = parts_of(settings, CELLS)
        assert len(parts) == count + 2
        assert len({part.name for part in parts}) == count + 2
        assert parts[-1].epochs == 2 * count, "as many steps as all parts together"
        assert {part.parent.name for part in parts[1:]} == {WHOLE}
    with pytest.raises(UserError, match="allowed: none in the space darts"):
        parts_of(SupernetSettings(split=("1<-0",), split_epochs=1), space_named("darts", None))


@pytest.mark.parametrize(
    ("edges", "place"), [(("1<-0",), 3), (("1<-0", "2<-0"), 18), (("1<-0", "3<-0", "3<-2"), 82)]
)
def test_the_best_cell_belongs_to_the_published_part(edges, place):
    # In the order 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2 its digits in base 5 are 3,3,3,1,3,2.
    code = published()["nasbench201-cifar10"]
    on = CELLS.on_edges(code)
    numbers = [CELLS.edges["1<-0"].index(operation) for operation in on.values()]
    assert numbers == [3, 3, 3, 1, 3, 2]
    parts = parts_of(SupernetSettings(split=edges, split_epochs=1), CELLS)[1:]
    owner = part_name({edge: (on[edge],) for edge in edges})
    assert [part.name for part in parts].index(owner) == place
    pooling = parse(
        "|avg_pool_3x3~0|+" + "|avg_pool_3x3~0|avg_pool_3x3~1|+"
        "|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"
    )
    last = part_name({edge: (CELLS.on_edges(pooling)[edge],) for edge in edges})
    assert parts[-1].name == last
    assert CELLS.of_edges(on) == code


def test_images_that_the_split_holds_out_are_not_counted_as_an_epochs(monkeypatch):
    # Of nine images a class two are held out, and not one in six of all: 70 are left, not 75.
    flags = (*SMALL, "--dataset=synthetic:8x8x1:10:90", "--supernet_batch_size=25")
    settings, _ = parse_search([*flags, "--run_dir=run"])
    size = EpochSize.of(settings)
    assert (size.steps, size.scored_batches) == (3, 1)
    shown = []

    class Execution:
        def train(self, bank, designs, part, order, rates):
            assert order.shape == (len(designs), 25)
            shown.extend(order.ravel().tolist())

    monkeypatch.setattr(PathsOnImages, "_execution", lambda self, design: Execution())
    teaching = PathsOnImages(
        settings.data, settings.supernet, settings.recipe, settings.layout, jax.devices()[:1]
    )
    teaching.train(None, [None] * size.steps, np.ones(size.steps), (0, 0))
    counts = collections.Counter(shown)
    assert sorted(counts) == list(range(70))
    assert sorted(counts.values()) == [1] * 65 + [2] * 5


def test_scores_that_an_agent_learns_from_are_of_full_batches():
    # Fifteen images are held out: three batches of four, and three images of a fourth.
    flags = (*SMALL, "--dataset=synthetic:8x8x1:10:90", "--supernet_batch_size=4")
    settings, _ = parse_search([*flags, "--run_dir=run"])
    assert EpochSize.of(settings).scored_batches == 3


def test_fair_paths_give_every_operation_of_every_edge_its_turn():
    random = np.random.default_rng(0)
    found = [CELLS.on_edges(code) for code in fair_paths(CELLS, {}, 12, random)]
    assert len(found) == 12
    for begin in (0, 5):
        for edge, operations in CELLS.edges.items():
            turn = [one[edge] for one in found[begin : begin + 5]]
            assert sorted(turn) == sorted(operations)
    fixed = fair_paths(CELLS, {"2<-1": ("none",)}, 5, random)
    assert {CELLS.on_edges(code)["2<-1"] for code in fixed} == {"none"}
    assert len({CELLS.on_edges(code)["1<-0"] for code in fixed}) == 5


def test_uniform_paths_are_uniform():
    random = np.random.default_rng(0)
    drawn = [CELLS.on_edges(uniform_path(CELLS, {}, random)) for _ in range(500)]
    for edge, operations in CELLS.edges.items():
        counts = collections.Counter(one[edge] for one in drawn)
        # Five standard deviations of a binomial of 500 and 1/5.
        assert all(abs(counts[each] - 100) < 45 for each in operations)
    fixed = [uniform_path(CELLS, {"3<-1": ("none",)}, random) for _ in range(20)]
    assert {CELLS.on_edges(code)["3<-1"] for code in fixed} == {"none"}


BY_AGENT = (*SMALL, "--paths=agent", "--agent_updates=3", "--agent_batch=2", "--supernet_epochs=5")
BY_GRADIENTS = ("--split=auto", "--split_epochs=1", "--split_levels=2", "--split_batches=3")
LEARNING = {
    "splits by gradients": ((*SMALL, *BY_GRADIENTS), (2, 4), 8),
    "a split": (SPLIT, (1, 4, 9), 12),
    "a program": ((*SMALL, "--filters=2", "--execution=whole", "--supernet_epochs=5"), (2,), 5),
    "ppo": ((*BY_AGENT, "--agent=ppo", "--ppo_children=3"), (1, 3), 5),
}


def what_came_of(run_dir):
    """Scores, losses, and what the agent has become."""
    scored = [(trial.hash, trial.accuracies) for trial in read_run(run_dir).trials]
    with contextlib.closing(Store.open_read_only(run_dir / "store.sqlite")) as store:
        state = store.agent_state()
    return scored, [(each["part"], each["loss"]) for each in epochs_of(run_dir)], state


LONG = ("ppo", "splits by gradients", "a program")


@pytest.mark.parametrize("name", marked(LEARNING, LONG))
def test_a_killed_supernet_goes_on_as_one_that_was_never_killed(tmp_path, name):
    flags, targets, epochs = LEARNING[name]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL}
    subprocess.run(command(whole, flags), check=True, **quiet)
    wanted = what_came_of(whole)
    assert len(wanted[0]) >= 5 and len(wanted[1]) == epochs
    for target in targets:
        kill_after(killed, flags, EPOCHS, target)
    assert targets[-1] <= ended(killed, EPOCHS) < epochs
    subprocess.run(command(killed, flags), check=True, **quiet)
    assert what_came_of(killed) == wanted


def test_an_agent_learns_from_scores_between_epochs(blockqnn):
    flags = (*BY_AGENT, "--agent=reinforce", "--check=4", "--epochs=1")
    status, out, err = blockqnn("search", *flags, "--run_dir=run")
    assert (status, err) == (0, "")
    assert "Trained on 960 images in" in out
    assert re.search(r"\n\d designs drawn at random score [\d.]+ % on average and", out)
    records = epochs_of(blockqnn.directory / "run")
    assert [record["part"] for record in records] == [WHOLE] * 5
    assert all(0 <= record["reward"] <= 1 for record in records)
    # Three updates of two designs an epoch, and eight rewarded children a step of the policy.
    assert [record["agent"]["episodes"] for record in records] == [6, 12, 18, 24, 30]
    assert [record["agent"]["updates"] for record in records] == [0, 1, 2, 3, 3]
    assert records[-1]["agent"]["entropy"] != records[0]["agent"]["entropy"]
