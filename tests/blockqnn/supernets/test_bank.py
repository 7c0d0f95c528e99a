"""Weights that designs share: who moves them, who does not, and what a score depends on."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blockqnn.children.checkpoint import DamagedError, write_directory
from blockqnn.children.execution import take_batch
from blockqnn.children.layer_by_layer import LayerByLayer
from blockqnn.children.training import on_device
from blockqnn.data.images import Images
from blockqnn.networks.child import ChildNetwork
from blockqnn.networks.initial import initial_statistics, shared_arrays
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import (
    design_of,
    design_plan,
    parse,
    published,
    space_named,
)
from blockqnn.settings import Recipe
from blockqnn.supernet_settings import ADAM, OF_BATCH, RECALIBRATED, RUNNING, SupernetSettings
from blockqnn.supernets import bank_file
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.bank_file import read_bank, read_facts, write_bank
from blockqnn.supernets.packing import packed, unpacked
from blockqnn.supernets.paths import Paths, accuracy, cosine, restarted, train

LAYOUT = Layout(
    filters=(4, 6), repeats=1, height=4, width=4, channels=1, classes=3, kind="nasbench201"
)
CELLS = dataclasses.replace(LAYOUT, kind="cells", filters=(4,))
UNSCALED = dataclasses.replace(CELLS, unscaled=True)
BATCH = 8
ONE = parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|")
OTHER = parse("|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|")
DARTS = published()["darts-v2"]
STATISTICS = (RECALIBRATED, OF_BATCH, RUNNING)
ADAM_SETTINGS = SupernetSettings(optimiser=ADAM, batch_size=BATCH)
MOMENTUM_SETTINGS = SupernetSettings(batch_size=BATCH)


@pytest.fixture(scope="module")
def parts():
    random = np.random.default_rng(0)
    made = []
    for count in (40, 21):
        labels = np.arange(count) % 3
        pixels = random.integers(0, 120, (count, 4, 4, 1)) + 60 * labels[:, None, None, None]
        made.append(Images(pixels.clip(0, 255).astype(np.uint8), labels))
    return on_device(*made)


def paths_of(bank, part, *codes, layout=LAYOUT, batch_size=BATCH):
    makes = Paths(layout, bank, batch_size, part)
    return [makes.path(design_of(code)) for code in codes]


def trained(settings, part, codes, seed=0, bank=None, rate=0.01, layout=LAYOUT):
    bank = bank or Bank(compiled_for(settings), seed)
    random = np.random.default_rng(1)
    order = random.integers(0, 40, (len(codes), BATCH)).astype(np.int32)
    rates = np.full(len(codes), rate)
    found = paths_of(bank, part, *codes, layout=layout)
    losses = train(bank, found, part, order, rates, settings.gradient_norm)
    return bank, losses, order


def arrays_of(bank):
    """Everything that a bank holds, by key."""
    return {
        key: jax.device_get((entry.parameters, entry.statistics, entry.moments))
        for key, entry in bank.entries.items()
    }


def same(one, other):
    """Whether two trees are equal to the last bit."""
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in leaves)


def test_entries_do_not_depend_on_which_designs_came_before(parts):
    banks = [Bank(compiled_for(ADAM_SETTINGS), 7) for _ in range(2)]
    for bank, codes in zip(banks, [(ONE, OTHER), (OTHER, ONE)], strict=True):
        for path in paths_of(bank, parts[0], *codes):
            bank.weights(path.plan, path.chain.all_steps)
    first, second = map(arrays_of, banks)
    assert first.keys() == second.keys()
    assert all(same(first[key], second[key]) for key in first)
    other_seed = Bank(compiled_for(ADAM_SETTINGS), 8)
    plan = design_plan(design_of(ONE), LAYOUT)
    kernels = [layer for layer in plan if "kernel" in layer.parameter_shapes]
    assert not same(shared_arrays(kernels[0], 7), shared_arrays(kernels[0], 8))
    assert not same(shared_arrays(kernels[-2], 7), shared_arrays(kernels[-3], 7))
    assert other_seed.numbers == 0


def test_a_key_says_where_and_what(parts):
    one, other = (design_plan(design_of(code), LAYOUT) for code in (ONE, OTHER))
    edges = {layer.name: layer.bank_key for layer in one}
    others = {layer.name: layer.bank_key for layer in other}
    # The same convolution in the same place, and another one there.
    assert edges["stage1/cell1/edge5"] == others["stage1/cell1/edge5"]
    assert edges["stage1/cell1/edge1"] != others["stage1/cell1/edge1"]
    assert edges["stage1/cell1/edge5"] != edges["stage2/cell1/edge5"]


@pytest.mark.parametrize("settings", [ADAM_SETTINGS, MOMENTUM_SETTINGS])
def test_what_a_step_does_not_use_stays_as_it_was(parts, settings):
    bank, _, _ = trained(settings, parts[0], [ONE, OTHER, ONE, OTHER])
    before = arrays_of(bank)
    path = paths_of(bank, parts[0], ONE)[0]
    used = {layer.bank_key for layer in path.plan if layer.parameter_shapes}
    trained(settings, parts[0], [ONE], bank=bank)
    after = arrays_of(bank)
    assert {key for key in after if not same(before[key], after[key])} == used
    assert set(after) - used, "another design's weights are there"


def test_a_path_is_an_ordinary_child(parts):
    codes = [ONE] * 6
    # Adam would make whole steps of the rounding that moves a bias before a norm.
    settings = dataclasses.replace(MOMENTUM_SETTINGS, gradient_norm=0.0)
    recipe = Recipe(batch_size=BATCH, optimiser="momentum", weight_decay=settings.weight_decay)
    bank, losses, order = trained(settings, parts[0], codes, seed=3)
    plan = design_plan(design_of(ONE), LAYOUT)
    child = LayerByLayer(plan, recipe, BATCH)
    child.compile(*parts, 1)
    child.start([shared_arrays(layer, 3) for layer in plan], initial_statistics(plan))
    wanted = [child.train_epoch(parts[0], indices[None], 0.01) for indices in order]
    assert losses == pytest.approx(wanted, abs=2e-5)
    parameters, statistics = child.weights()
    for layer, arrays, running in zip(plan, parameters, statistics, strict=True):
        if arrays:
            entry = bank.entries[layer.bank_key]
            for name, array in arrays.items():
                assert entry.parameters[name] == pytest.approx(array, abs=2e-4)
            for name, array in running.items():
                assert entry.statistics[name] == pytest.approx(array, abs=2e-4)


@pytest.mark.parametrize(("code", "layout"), [(ONE, LAYOUT), (DARTS, CELLS), (DARTS, UNSCALED)])
def test_scores_are_those_of_the_module(parts, code, layout):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [code] * 3, layout=layout)
    (path,) = paths_of(bank, parts[0], code, layout=layout)
    network = ChildNetwork(path.plan)
    entries = [bank.entries.get(layer.bank_key) for layer in path.plan]
    # What nobody reads has no entry, and is not asked for.
    spare = [shared_arrays(layer, 0) for layer in path.plan]
    running = initial_statistics(path.plan)
    network.set_weights(
        [e.parameters if e else s for e, s in zip(entries, spare, strict=True)],
        [e.statistics if e else s for e, s in zip(entries, running, strict=True)],
    )
    network.eval()
    part = parts[1]
    pixels, labels = take_batch(part, None, jnp.dtype(jnp.float32))
    right = np.argmax(np.asarray(network(pixels)), axis=-1) == np.asarray(labels)
    assert accuracy(bank, path, part, RUNNING) == pytest.approx(right.mean())


def scores(bank, parts, code, statistics, batch_size=BATCH):
    (path,) = paths_of(bank, parts[0], code, batch_size=batch_size)
    rows = np.arange(24, dtype=np.int32).reshape(-1, batch_size)
    return accuracy(bank, path, parts[1], statistics, (parts[0], rows))


@pytest.mark.parametrize("statistics", STATISTICS)
def test_a_score_depends_on_nothing_that_was_scored_before(parts, statistics):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [ONE, OTHER] * 4)
    before = arrays_of(bank)
    first = scores(bank, parts, ONE, statistics)
    scores(bank, parts, OTHER, statistics)
    assert scores(bank, parts, ONE, statistics) == first
    after = arrays_of(bank)
    assert all(same(before[key], after[key]) for key in before)


@pytest.mark.parametrize("statistics", [RECALIBRATED, RUNNING])
def test_a_score_does_not_depend_on_the_size_of_batches(parts, statistics):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [ONE, OTHER] * 4)
    if statistics == RUNNING:
        wanted = scores(bank, parts, ONE, statistics)
        assert scores(bank, parts, ONE, statistics, 12) == pytest.approx(wanted)
        return
    # Means over other batches are others, so the images to average over are one batch here.
    found = []
    for batch_size in (8, 4):
        (path,) = paths_of(bank, parts[0], ONE, batch_size=batch_size)
        rows = (parts[0], np.arange(24, dtype=np.int32)[None])
        found.append(accuracy(bank, path, parts[1], statistics, rows))
    assert found[0] == pytest.approx(found[1])


def test_images_that_fill_the_last_batch_are_not_counted(parts):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [ONE] * 4)
    (path,) = paths_of(bank, parts[0], ONE)
    # 21 images are two batches of 8 and 5 more.
    shares = [accuracy(bank, path, parts[1], RUNNING, batches=range(n, n + 1)) for n in range(3)]
    whole = accuracy(bank, path, parts[1], RUNNING)
    assert whole == pytest.approx((8 * shares[0] + 8 * shares[1] + 5 * shares[2]) / 21)


def test_recalibrated_statistics_are_plain_averages_of_batches(parts):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [ONE] * 4)
    (path,) = paths_of(bank, parts[0], ONE)
    rows = np.arange(16, dtype=np.int32).reshape(2, BATCH)
    (stem,) = (layer for layer in path.plan if layer.name == "stem/norm")
    kernel = next(
        entry.parameters["kernel"]
        for key, entry in bank.entries.items()
        if key.startswith("stem/convolution:")
    )
    means = []
    for indices in rows:
        pixels, _ = path.chain.batch(parts[0], indices)
        convolved = jax.lax.conv_general_dilated(
            pixels, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        means.append(np.asarray(convolved).mean(axis=(0, 1, 2)))
    from blockqnn.supernets.paths import _averaged_statistics

    weights = [dataclasses.replace(each) for each in bank.weights(path.plan, path.chain.all_steps)]
    found = _averaged_statistics(path, weights, parts[0], rows)
    place = next(
        number
        for number, step, _ in path.chain.steps
        if path.plan[step.layer] is stem and step.normalises
    )
    assert found[place]["mean"] == pytest.approx(np.mean(means, axis=0), abs=1e-5)


def test_a_part_begins_as_its_parent_and_then_goes_its_own_way(parts):
    parent, _, _ = trained(MOMENTUM_SETTINGS, parts[0], [ONE, OTHER] * 3)
    before = arrays_of(parent)
    child = parent.copy().without_moments()
    for code in (ONE, OTHER):
        assert scores(child, parts, code, RUNNING) == scores(parent, parts, code, RUNNING)
    moments = [jax.tree.leaves(entry.moments) for entry in child.entries.values()]
    assert all(not np.any(leaf) for leaves in moments for leaf in leaves)
    trained(MOMENTUM_SETTINGS, parts[0], [ONE] * 3, bank=child)
    after = arrays_of(parent)
    assert all(same(before[key], after[key]) for key in before)
    # The operation on the edge along which it was split learns with the rest.
    split = [key for key in child.entries if key.startswith("stage1/cell1/edge1: ")]
    moved = [key for key in split if not same(before[key][0], child.entries[key].parameters)]
    assert len(split) == 2 and len(moved) == 1


@pytest.mark.parametrize("settings", [ADAM_SETTINGS, MOMENTUM_SETTINGS])
def test_a_bank_on_disk_goes_on_as_the_one_in_memory(parts, tmp_path, settings):
    bank, _, _ = trained(settings, parts[0], [ONE, OTHER])
    write_bank(tmp_path / "bank", bank, 1.5, 2.0)
    facts = read_facts(tmp_path / "bank")
    assert (facts.loss, facts.seconds) == (1.5, 2.0)
    read = read_bank(tmp_path / "bank", Bank(compiled_for(settings), 99))
    assert read.seed == bank.seed and list(read.entries) == list(bank.entries)
    assert same(list(arrays_of(bank).values()), list(arrays_of(read).values()))
    for one in (bank, read):
        trained(settings, parts[0], [OTHER, ONE], bank=one)
    assert same(list(arrays_of(bank).values()), list(arrays_of(read).values()))


def test_a_bank_whose_norms_have_neither_scale_nor_shift_is_kept_too(parts, tmp_path):
    """Norms behind poolings have no arrays, and their statistics are the bank's all the same."""
    code = parse(
        "darts normal 2 max3(0)+avg3(1) 3 max3(0)+sep3(1) 4 id(0)+dil3(1) 5 sep5(0)+max3(2) "
        "reduction 2 max3(0)+max3(1) 3 id(2)+max3(1) 4 max3(0)+id(2) 5 id(2)+max3(1)"
    )
    bank, _, _ = trained(MOMENTUM_SETTINGS, parts[0], [code] * 2, layout=UNSCALED)
    pools = [key for key in bank.entries if "/pooling_norm: " in key]
    assert len(pools) == 4 and all("without scale" in key for key in pools)
    for key in pools:
        assert not bank.entries[key].parameters
        assert np.any(np.asarray(bank.entries[key].statistics["mean"]) != 0)
    write_bank(tmp_path / "bank", bank, 1.0, 1.0)
    read = read_bank(tmp_path / "bank", Bank(compiled_for(MOMENTUM_SETTINGS), 9))
    assert same(list(arrays_of(bank).values()), list(arrays_of(read).values()))
    for one in (bank, read):
        trained(MOMENTUM_SETTINGS, parts[0], [code], bank=one, layout=UNSCALED)
    assert same(list(arrays_of(bank).values()), list(arrays_of(read).values()))


def test_a_bank_of_the_first_format_is_read(parts, tmp_path):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [ONE])
    write_bank(tmp_path / "new", bank, 1.0, 1.0)
    arrays = {
        f"{number:06d}": bank_file._arrays(entry)
        for number, entry in enumerate(bank.entries.values())
    }
    fields = json.loads((tmp_path / "new" / "bank.json").read_text())
    text = json.dumps({**fields, "format": 1})
    write_directory(tmp_path / "old", {"bank.json": text}, {"arrays": arrays})
    old, new = (read_bank(tmp_path / name, bank) for name in ("old", "new"))
    assert same(arrays_of(old), arrays_of(new)) and same(arrays_of(new), arrays_of(bank))


def test_arrays_that_are_packed_come_back_and_others_are_refused():
    arrays = {
        "a": {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.int32(7)},
        "b": np.zeros((0, 4), np.float32),
    }
    flat, index = packed(arrays)
    assert {dtype: own.size for dtype, own in flat.items()} == {"float32": 6, "int32": 1}
    found = unpacked(flat, json.loads(json.dumps(index)))
    assert found["a"]["n"] == 7 and found["b"].shape == (0, 4)
    np.testing.assert_array_equal(found["a"]["x"], arrays["a"]["x"])
    with pytest.raises(ValueError, match="other arrays"):
        unpacked({"float32": flat["float32"]}, index)


def test_a_damaged_bank_is_not_read(parts, tmp_path):
    bank, _, _ = trained(ADAM_SETTINGS, parts[0], [ONE])
    write_bank(tmp_path / "bank", bank, 1.0, 1.0)
    file = tmp_path / "bank" / "bank.json"
    fields = json.loads(file.read_text())
    file.write_text(json.dumps(fields | {"loss": 0.5}))
    with pytest.raises(DamagedError, match=r"bank\.json is not as it was written"):
        read_bank(tmp_path / "bank", bank)
    with pytest.raises(DamagedError, match="cannot be read"):
        read_facts(tmp_path / "nothing")


def test_rates_fall_along_a_cosine():
    # Of max 0.05 and min 0.0005, half way is 0.02525.
    found = cosine(0.05, 0.0005, np.array([0, 5, 9, 10]), 10)
    assert found == pytest.approx([0.05, 0.02525, 0.0017114, 0.0005], abs=1e-7)


def test_the_schedule_of_enas_begins_anew_after_10_30_70_and_150_epochs():
    for epoch, place, period in [(0, 0, 10), (9, 9, 10), (10, 0, 20), (20, 10, 20), (150, 0, 160)]:
        assert restarted(epoch, 10) == (place, period)
    rates = [
        float(cosine(0.05, 0.0005, np.array(place), period))
        for place, period in (restarted(epoch, 10) for epoch in (0, 5, 9, 10, 20))
    ]
    assert rates == pytest.approx([0.05, 0.02525, 0.0017114, 0.05, 0.02525], abs=1e-7)


def test_all_paths_of_the_benchmark_have_the_published_number_of_parameters():
    space = space_named("nasbench201", None)
    layout = Layout(filters=(16, 32, 64), repeats=5, kind="nasbench201")
    numbers = {}
    for operation in ("nor_conv_1x1", "nor_conv_3x3"):
        code = space.of_edges(dict.fromkeys(space.edges, operation))
        for layer in design_plan(design_of(code), layout):
            numbers[layer.bank_key] = sum(
                int(np.prod(shape)) for shape in layer.parameter_shapes.values()
            )
    assert sum(numbers.values()) == 1_699_546


def test_halves_of_a_node_share_weights_whichever_comes_first():
    written = "darts normal 2 {} 3 sep3(0)+id(2) 4 sep3(0)+id(2) 5 sep3(0)+id(2) reduction 2 {} "
    written += "3 sep3(0)+id(2) 4 sep3(0)+id(2) 5 sep3(0)+id(2)"
    keys = []
    for node in ("sep3(0)+sep5(1)", "sep5(1)+sep3(0)"):
        plan = design_plan(design_of(parse(written.format(node, node))), CELLS)
        keys.append({layer.bank_key for layer in plan if layer.parameter_shapes})
    assert keys[0] == keys[1]
    twice = parse(
        "enas_micro normal 2 sep3(0)+sep3(0) 3 id(0)+id(1) 4 id(0)+id(1) 5 id(0)+id(1) "
        "6 id(0)+id(1) reduction 2 id(0)+id(1) 3 id(0)+id(1) 4 id(0)+id(1) "
        "5 id(0)+id(1) 6 id(0)+id(1)"
    )
    plan = design_plan(design_of(twice), dataclasses.replace(CELLS, rules="enas_search"))
    own = [layer.bank_key for layer in plan if "from0" in layer.shared_as]
    assert len(own) == len(set(own)) and own, "two halves that are alike have their own weights"
