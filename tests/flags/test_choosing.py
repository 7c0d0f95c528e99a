"""What the preset own chooses: tables of data and machines, and what holds for all of them."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockqnn.agents.random_search import RandomSearch, RandomSearchConfig
from blockqnn.flags.choosing import DataFacts, MachineFacts, choose
from blockqnn.networks.cost import Limits, cost, infeasible_reason
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.registry import design_of, space_named

TWO_CORES = MachineFacts(2, 24 * 2**30)
MANY_CORES = MachineFacts(64, 256 * 2**30)
GPU = MachineFacts(1, 128 * 2**30, "GPU")
PHOTOS = DataFacts(300, 400, 3, 3, 90, one_size=False, scalable=True)
CIFAR = DataFacts(32, 32, 3, 10, 50_000)

PLUS, LOCAL = "q_learning_plus", "local_search"

# Data, machine; image size, layout, stages, epochs, batch, training images, agent, blocks.
TABLE = [
    (DataFacts(64, 64, 3, 2, 24), TWO_CORES, (64, 64), "imagenet", 2, 30, 8, 0, PLUS, 200),
    (DataFacts(8, 8, 1, 10, 1500), TWO_CORES, (8, 8), "cifar", 2, 8, 32, 0, PLUS, 200),
    (DataFacts(4, 4, 1, 2, 100), TWO_CORES, (4, 4), "cifar", 1, 27, 8, 0, PLUS, 200),
    (DataFacts(28, 28, 1, 10, 60_000), TWO_CORES, (28, 28), "cifar", 3, 3, 64, 6400, LOCAL, 60),
    (CIFAR, TWO_CORES, (32, 32), "cifar", 3, 3, 64, 4800, LOCAL, 60),
    (CIFAR, MANY_CORES, (32, 32), "cifar", 3, 3, 64, 6400, PLUS, 400),
    (CIFAR, GPU, (32, 32), "cifar", 3, 3, 128, 20_000, PLUS, 200),
    (PHOTOS, TWO_CORES, (64, 64), "imagenet", 2, 30, 8, 0, PLUS, 200),
    (PHOTOS, GPU, (128, 128), "imagenet", 3, 30, 8, 0, PLUS, 200),
    (DataFacts(20, 24, 3, 4, 400, False, True), TWO_CORES, (24, 24), "cifar", 3, 14, 16, 0,
     PLUS, 200),
    (DataFacts(240, 320, 3, 5, 600, True, True), TWO_CORES, (48, 64), "imagenet", 2, 19, 32, 0,
     PLUS, 200),
    (DataFacts(224, 224, 3, 5, 5000), TWO_CORES, (224, 224), "imagenet", 4, 3, 64, 853,
     LOCAL, 40),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "machine", "size", "layout", "stages", "epochs", "batch", "train", "agent", "blocks"),
    TABLE,
)
def test_the_table(data, machine, size, layout, stages, epochs, batch, train, agent, blocks):
    found = choose(data, machine, {})
    values = found.values
    assert found.image_size == size
    assert (values["layout"], len(values["filters"])) == (layout, stages)
    assert (values["epochs"], values["batch_size"], values["train_examples"]) == (
        epochs, batch, train,
    )  # fmt: skip
    assert (values["agent"], values["max_blocks"], values["max_hours"]) == (agent, blocks, 1.0)
    assert choose(data, machine, {}) == found


def all_layouts(data, found):
    """The layout that was chosen."""
    values = found.values
    return Layout(
        values["layout"], values["filters"], 1, *found.image_size, data.channels, data.classes
    )


@pytest.mark.parametrize(("data", "machine"), [row[:2] for row in TABLE[::3]])
def test_under_two_fifths_of_random_blocks_are_refused(data, machine):
    found = choose(data, machine, {})
    values, layout = found.values, all_layouts(data, found)
    limits = Limits(0, values["max_flops"], values["max_activation_bytes"])
    space = space_named("nsc", values["max_layers"])
    agent = RandomSearch(space, RandomSearchConfig("uniform"), seed=1)
    reasons = []
    for code in agent.suggest(400):
        design = design_of(code)
        spent = cost(design, layout)
        reasons.append(infeasible_reason(design, spent, limits, values["batch_size"], 4))
    assert sum(reason is not None for reason in reasons) / len(reasons) < 0.45


@settings(max_examples=8)
@given(
    height=st.integers(4, 400),
    width=st.integers(4, 400),
    classes=st.integers(2, 200),
    each=st.integers(2, 400),
    one_size=st.booleans(),
    workers=st.integers(1, 8),
)
def test_any_images_make_a_search_of_an_hour_at_most(
    height, width, classes, each, one_size, workers
):
    data = DataFacts(height, width, 3, classes, classes * each, one_size, scalable=True)
    found = choose(data, MachineFacts(workers, 16 * 2**30), {})
    layout = all_layouts(data, found)
    smallest = min(found.image_size) // 2**layout.downsamplings
    assert 3 <= smallest <= 8 or smallest == min(found.image_size)
    assert found.seconds <= 3600
    assert found.values["max_blocks"] >= 8
    assert max(found.image_size) <= 64
    assert found.values["train_examples"] == 0 or found.values["train_examples"] >= classes


def test_what_is_named_is_kept_and_the_rest_goes_with_it():
    usual = choose(CIFAR, TWO_CORES, {}).values
    named = {"filters": (4, 8), "epochs": 1, "agent": "evolution"}
    found = choose(CIFAR, TWO_CORES, named).values
    assert not set(named) & set(found)
    # Children with few channels cost less, so more of them fit into the hour.
    assert found["max_flops"] < usual["max_flops"] / 4
    assert found["max_blocks"] > usual["max_blocks"]


@pytest.mark.parametrize(
    ("named", "blocks", "hours"),
    [
        ({"max_blocks": 7}, None, None),
        ({"max_hours": 2.0}, None, None),
        ({"epsilon_schedule": ((1.0, 3),)}, None, None),
    ],
)
def test_a_budget_that_is_named_is_the_only_one(named, blocks, hours):
    found = choose(CIFAR, TWO_CORES, named)
    assert (found.values.get("max_blocks"), found.values.get("max_hours")) == (blocks, hours)


def test_more_hours_give_more_blocks_to_suit_the_agent_to():
    assert choose(CIFAR, TWO_CORES, {"max_hours": 4.0}).values["agent"] == "q_learning_plus"
    assert choose(CIFAR, TWO_CORES, {"max_hours": 0.2}).values["agent"] == "local_search"


def test_an_agents_option_brings_the_agent():
    assert choose(CIFAR, TWO_CORES, {"alpha": 0.2}).values["agent"] == "q_learning"


def test_batches_fit_into_the_memory():
    little = dataclasses.replace(TWO_CORES, memory=2**30)
    values = choose(TABLE[-1][0], little, {}).values
    assert values["batch_size"] < 64
    assert values["max_activation_bytes"] <= 2**30 / 12 * 1.1


def test_cells_take_their_own_layout():
    values = choose(CIFAR, TWO_CORES, {"space": "nasbench201"}).values
    assert (values["layout"], values["filters"]) == ("nasbench201", (16, 32, 64))
