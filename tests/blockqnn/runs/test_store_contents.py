"""What is put into a store comes out of it: any trial, any state, any fact."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from blockqnn.runs.store import Store
from blockqnn.trial import Status, Trial
from tests.strategies import blocks

HUGE = st.integers(0, 2**200)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SMALL = st.integers(0, 2**63 - 1)
# What a reason or a device may hold, as odd as it gets; SQLite has no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["<script>alert('x')</script>", "'; DROP TABLE trials; --", "\0", "null", "a\nb\r\n", "π 🧱"]
)
TRIALS = st.builds(
    Trial,
    number=st.integers(1, 2**63 - 1),
    iteration=SMALL,
    epsilon=FINITE,
    code=blocks(max_layers=5),
    hash=TEXT,
    seed=SMALL,
    status=st.sampled_from(Status),
    density=FINITE,
    parameters=HUGE,
    flops=HUGE,
    block_flops=HUGE,
    depth=SMALL,
    reason=st.none() | TEXT,
    source=st.none() | SMALL,
    accuracies=st.lists(FINITE, max_size=4).map(tuple),
    reward=st.none() | FINITE,
    restarts=SMALL,
    compile_seconds=FINITE,
    train_seconds=FINITE,
    device=st.none() | TEXT,
    worker=st.none() | SMALL,
    finished=st.none() | FINITE,
    waiting_seconds=FINITE,
    saved_seconds=FINITE,
)


def in_memory():
    return Store.create_or_open(":memory:")


@given(st.lists(TRIALS, max_size=4, unique_by=lambda trial: trial.number))
def test_trials_come_back_as_they_were_in_order_of_number(trials):
    with contextlib.closing(in_memory()) as store:
        for trial in trials:
            store.add_trial(trial)
        found = list(store.trials())
    assert found == sorted(trials, key=lambda trial: trial.number)
    for trial in found:
        assert type(trial.status) is Status
        assert type(trial.flops) is int


JSON = st.recursive(
    st.none() | st.booleans() | SMALL | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
STATES = st.dictionaries(TEXT, JSON, max_size=4)


@given(st.lists(STATES, min_size=1, max_size=4))
def test_changes_of_the_agents_state_add_up(changes):
    merged = {}
    with contextlib.closing(in_memory()) as store:
        for iteration, change in enumerate(changes, start=1):
            store.end_iteration(iteration, change)
            merged |= change
            assert store.agent_state() == merged
            assert store.facts() == {"iterations": iteration}


@given(STATES, STATES)
def test_facts_replace_one_another_by_name_and_are_not_the_agents(first, second):
    with contextlib.closing(in_memory()) as store:
        store.set_facts(first)
        store.set_facts(second)
        assert store.facts() == first | second
        assert store.agent_state() == {}
