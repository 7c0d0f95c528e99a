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

# Data, machine; image size, layout, stages, epochs, batch, training images, agent, blocks, hours,
# finals.
TABLE = [
    (DataFacts(64, 64, 3, 2, 24), TWO_CORES, (64, 64), "imagenet", 2, 30, 8, 0, PLUS, 200,
     0.74, "12:90,4:270"),
    (DataFacts(8, 8, 1, 10, 1500), TWO_CORES, (8, 8), "cifar", 2, 8, 32, 0, PLUS, 200,
     0.74, "12:24,4:72"),
    (DataFacts(4, 4, 1, 2, 100), TWO_CORES, (4, 4), "cifar", 1, 27, 8, 0, PLUS, 200,
     0.74, "12:81,4:243"),
    (DataFacts(28, 28, 1, 10, 60_000), TWO_CORES, (28, 28), "cifar", 3, 3, 64, 4800, LOCAL, 60,
     0.79, "4:12"),
    (CIFAR, TWO_CORES, (32, 32), "cifar", 3, 3, 64, 3200, LOCAL, 70, 0.81, "4:12"),
    (CIFAR, MANY_CORES, (32, 32), "cifar", 3, 3, 64, 6400, PLUS, 400, 0.34, "12:9,4:27"),
    (CIFAR, GPU, (32, 32), "cifar", 3, 3, 128, 20_000, PLUS, 200, 0.74, "12:9,4:27"),
    (PHOTOS, TWO_CORES, (64, 64), "imagenet", 2, 30, 8, 0, PLUS, 200, 0.74, "12:90,4:270"),
    (PHOTOS, GPU, (128, 128), "imagenet", 3, 30, 8, 0, PLUS, 200, 0.74, "12:90,4:270"),
    (DataFacts(20, 24, 3, 4, 400, False, True), TWO_CORES, (24, 24), "cifar", 3, 14, 16, 0,
     PLUS, 200, 0.74, "12:42,4:126"),
    (DataFacts(240, 320, 3, 5, 600, True, True), TWO_CORES, (48, 64), "imagenet", 2, 19, 32, 0,
     PLUS, 200, 0.74, "12:57,4:171"),
    (DataFacts(224, 224, 3, 5, 5000), TWO_CORES, (224, 224), "imagenet", 4, 3, 64, 853,
     LOCAL, 20, 0.56, "4:12"),
]  # fmt: skip


@pytest.mark.parametrize(
    (
        "data",
        "machine",
        "size",
        "layout",
        "stages",
        "epochs",
        "batch",
        "train",
        "agent",
        "blocks",
        "hours",
        "finals",
    ),
    TABLE,
)
def test_the_table(
    data, machine, size, layout, stages, epochs, batch, train, agent, blocks, hours, finals
):
    found = choose(data, machine, {})
    values = found.values
    assert found.image_size == size
    assert (values["layout"], len(values["filters"])) == (layout, stages)
    assert (values["epochs"], values["batch_size"], values["train_examples"]) == (
        epochs, batch, train,
    )  # fmt: skip
    assert (values["agent"], values["max_blocks"], values["max_hours"]) == (agent, blocks, hours)
    assert values["finals"] == finals
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


def test_finals_go_with_the_blocks_that_are_searched():
    def finals(**named):
        return choose(DataFacts(8, 8, 1, 10, 1500), TWO_CORES, named).values.get("finals")

    assert finals(max_blocks=7) == "off"
    assert finals(max_blocks=24, epochs=5) == "4:20"
    assert finals(max_blocks=300, epochs=5) == "12:15,4:45"
    assert finals(finals="off") is None
    assert finals(evaluator="table") == "off"


def test_finals_take_their_time_from_the_search():
    data = DataFacts(20, 24, 3, 4, 400, False, True)
    named = {"epochs": 20, "batch_size": 16}
    without = choose(data, TWO_CORES, named | {"finals": "off"})
    short, long = (choose(data, TWO_CORES, named | {"finals": f}) for f in ("8:20", "32:40:2"))
    # 8 and 128 children of the search; blocks are in tens.
    saved = [without.values["max_blocks"] - c.values["max_blocks"] for c in (short, long)]
    assert 0 <= saved[0] <= 10
    assert 120 <= saved[1] <= 130
    assert without.values["max_hours"] == 1.0
    assert long.seconds <= 3600


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


@pytest.mark.parametrize(
    ("named", "schedule"),
    [
        ({}, {"schedule": "one_cycle", "learning_rate": 0.003}),
        ({"learning_rate": 0.01}, {"schedule": "one_cycle"}),
        ({"schedule": "steps"}, {"decay_epochs": 3}),
        ({"decay_epochs": 2}, {"schedule": "steps"}),
        ({"learning_rate_decay": 0.5}, {"schedule": "steps", "decay_epochs": 3}),
    ],
)
def test_children_learn_in_one_cycle_unless_steps_are_asked_for(named, schedule):
    found = choose(DataFacts(8, 8, 1, 10, 1500), TWO_CORES, named).values
    names = ("schedule", "learning_rate", "learning_rate_decay", "decay_epochs")
    assert {name: found[name] for name in names if name in found} == schedule
