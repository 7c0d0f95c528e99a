"""One program for all paths: it does what the chain of small programs does, on any devices."""

import dataclasses

import jax
import numpy as np
import pytest

from blockqnn.children.training import on_device
from blockqnn.data.images import Images
from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, parse, space_named
from blockqnn.searching.supernet_paths import uniform_path
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import ADAM, OF_BATCH, RECALIBRATED, RUNNING, SupernetSettings
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank, write_bank
from blockqnn.supernets.device_group import DeviceGroup
from blockqnn.supernets.path_programs import PathPrograms, make_paths
from blockqnn.supernets.paths import PathChain

LAYOUT = Layout(
    filters=(4,), repeats=1, height=4, width=4, channels=1, classes=3, kind="nasbench201"
)
BATCH, SEED = 8, 3
# Each operation is there, nodes that nobody reads, and a node to which nothing leads.
CODES = (
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|",
    "|nor_conv_1x1~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|none~2|",
    "|none~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
)
DESIGNS = [design_of(parse(code)) for code in CODES]
STEPS = [DESIGNS[place] for place in (0, 1, 2, 0, 2)]
MOMENTUM = SupernetSettings(batch_size=BATCH, gradient_norm=0.5)
WITH_ADAM = SupernetSettings(batch_size=BATCH, optimiser=ADAM, gradient_norm=0.0)
STATISTICS = (RECALIBRATED, OF_BATCH, RUNNING)
ORDER = np.random.default_rng(1).integers(0, 40, (len(STEPS), BATCH)).astype(np.int32)
RATES = np.linspace(0.05, 0.01, len(STEPS))
ROWS = np.arange(16, dtype=np.int32).reshape(2, BATCH)


@pytest.fixture(scope="module")
def parts():
    random = np.random.default_rng(0)
    made = []
    for count in (40, 21):
        labels = np.arange(count) % 3
        pixels = random.integers(0, 120, (count, 4, 4, 1)) + 60 * labels[:, None, None, None]
        made.append(Images(pixels.clip(0, 255).astype(np.uint8), labels))
    return on_device(*made)


def new_bank(settings=MOMENTUM, bfloat16=False):
    return Bank(compiled_for(settings, bfloat16), SEED)


def programs(settings=MOMENTUM, devices=1, loops=False, bank=None):
    own = jax.devices()[:devices]
    bank = bank or new_bank(settings)
    return PathPrograms(LAYOUT, bank, BATCH, settings.gradient_norm, own, loops)


@pytest.fixture(scope="module")
def executions(parts):
    return {
        "chain": PathChain(LAYOUT, new_bank(), BATCH, MOMENTUM.gradient_norm, parts[0]),
        "program": programs(),
        # Four devices, and steps in a loop, as on accelerators.
        "devices": programs(devices=4, loops=True),
    }


@pytest.fixture(scope="module")
def trained(executions, parts):
    found = {}
    for name, execution in executions.items():
        bank = new_bank()
        found[name] = bank, execution.train(bank, STEPS, parts[0], ORDER, RATES)
    return found


def arrays_of(bank):
    return {
        key: jax.device_get((entry.parameters, entry.statistics, entry.moments))
        for key, entry in bank.entries.items()
    }


def same(one, other):
    """Whether two trees are equal to the last bit."""
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


@pytest.mark.parametrize("name", ["program", "devices"])
def test_a_bank_is_trained_as_by_the_chain(trained, name):
    (wanted, losses), (bank, own) = trained["chain"], trained[name]
    assert own == pytest.approx(losses, abs=1e-5)
    # The same entries in the same order, so banks on disk are alike too.
    assert list(bank.entries) == list(wanted.entries)
    for key, entry in arrays_of(wanted).items():
        pairs = zip(jax.tree.leaves(entry), jax.tree.leaves(arrays_of(bank)[key]), strict=True)
        assert all(a == pytest.approx(b, abs=1e-5) for a, b in pairs), key


@pytest.mark.parametrize("statistics", STATISTICS)
def test_banks_of_either_score_alike_in_all(executions, trained, parts, statistics):
    for of in ("chain", "program"):
        bank = trained[of][0]
        before = arrays_of(bank)
        for design in DESIGNS[1:]:
            for batches in (None, range(2, 3)):
                arguments = bank, design, parts[1], statistics, (parts[0], ROWS), batches
                scores = {name: each.accuracy(*arguments) for name, each in executions.items()}
                assert len(set(scores.values())) == 1, scores
        after = arrays_of(bank)
        assert all(same(before[key], after[key]) for key in before)


@pytest.mark.parametrize("settings", [MOMENTUM, WITH_ADAM], ids=["momentum", "adam"])
def test_what_a_step_does_not_use_stays_to_the_last_bit(executions, parts, settings):
    own = executions["program"] if settings is MOMENTUM else programs(settings)
    bank = new_bank(settings)
    own.train(bank, STEPS, parts[0], ORDER, RATES)
    around = {"stem/convolution", "stem/norm", "head/norm", "head/linear"}
    # Of the second design nobody reads what its convolutions write.
    for design, used in [(0, {"edge1", "edge5"}), (1, set())]:
        before = arrays_of(bank)
        own.train(bank, [DESIGNS[design]], parts[0], ORDER[:1], RATES[:1])
        after = arrays_of(bank)
        moved = {key for key in after if not same(before[key], after[key])}
        assert {key.partition(":")[0] for key in moved} == around | {
            f"stage1/cell1/{edge}" for edge in used
        }
        assert all(" 3/1 " in key for key in moved if "edge" in key)
        assert len(moved) == len(around) + len(used) < len(after)


def test_a_bank_goes_on_from_disk_as_in_memory(executions, parts, tmp_path):
    bank, own = new_bank(), executions["program"]
    own.train(bank, STEPS, parts[0], ORDER, RATES)
    write_bank(tmp_path / "bank", bank, 1.0, 1.0)
    read = read_bank(tmp_path / "bank", new_bank())
    for each in (bank, read):
        own.train(each, STEPS[:2], parts[0], ORDER[:2], RATES[:2])
    assert same(list(arrays_of(bank).values()), list(arrays_of(read).values()))


def test_bfloat16_is_near(executions, parts):
    losses = {}
    for bfloat16 in (False, True):
        bank = new_bank(bfloat16=bfloat16)
        own = executions["program"] if not bfloat16 else programs(bank=bank)
        losses[bfloat16] = own.train(bank, STEPS[:3], parts[0], ORDER[:3], RATES[:3])
        types = {leaf.dtype.name for leaf in jax.tree.leaves(arrays_of(bank)) if leaf.ndim}
        assert types == {"float32"}
    assert losses[True] == pytest.approx(losses[False], rel=0.03)
    chain = PathChain(LAYOUT, new_bank(bfloat16=True), BATCH, MOMENTUM.gradient_norm, parts[0])
    own = chain.train(new_bank(bfloat16=True), STEPS[:3], parts[0], ORDER[:3], RATES[:3])
    assert own == pytest.approx(losses[True], rel=0.02)
    assert not np.array_equal(losses[True], losses[False])


def test_devices_that_differ_are_found_out():
    devices = jax.devices()[:2]
    group = DeviceGroup(devices)
    placed = group.place({"a": np.arange(4, dtype=np.float32)})["a"]
    group.require_equal([placed])
    other = [np.arange(4, dtype=np.float32) for _ in devices]
    other[1][2] = np.nextafter(other[1][2], np.float32(9))
    shards = [jax.device_put(array, device) for array, device in zip(other, devices, strict=True)]
    apart = jax.make_array_from_single_device_arrays((4,), placed.sharding, shards)
    with pytest.raises(RuntimeError, match="have come to hold other weights"):
        group.require_equal([apart])


def made(parts, execution="whole", devices=1, batch_size=BATCH, design=DESIGNS[0], layout=LAYOUT):
    settings = dataclasses.replace(MOMENTUM, batch_size=batch_size)
    recipe, own = Recipe(execution=execution), jax.devices()[:devices]
    return make_paths(design, layout, settings, recipe, new_bank(), parts[0], own)


def test_the_recipe_says_which_way(parts):
    assert isinstance(made(parts), PathPrograms)
    assert isinstance(made(parts, "layers"), PathChain)
    # On a processor.
    assert isinstance(made(parts, "auto"), PathChain)


def test_a_space_without_one_program_is_run_by_the_chain_or_refused(parts):
    random = np.random.default_rng(0)
    design = design_of(uniform_path(space_named("nasnet"), {}, random))
    layout = dataclasses.replace(LAYOUT, kind="cells", rules="enas_search")
    assert isinstance(made(parts, "auto", design=design, layout=layout), PathChain)
    words = "that concatenate are wider than those that add, so --execution=whole cannot be"
    with pytest.raises(UserError, match=words):
        made(parts, design=design, layout=layout)


def test_what_cannot_be_shared_by_devices_is_refused(parts):
    with pytest.raises(UserError, match="multiple of 3, or another --devices_per_worker"):
        made(parts, devices=3)
    with pytest.raises(UserError, match=r"--devices_per_worker is 2, and .*--execution=whole"):
        made(parts, "layers", devices=2)
