"""The search loop, with evaluators that need no training."""

import contextlib

import pytest

from blockqnn.agents.random_search import RandomSearchConfig
from blockqnn.errors import UserError
from blockqnn.networks.cost import Limits, cost
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.reward import corrected_reward
from blockqnn.runs.store import Store
from blockqnn.searching.loop import DRAWS_PER_BLOCK
from blockqnn.settings import Recipe, RewardSettings
from blockqnn.trial import Outcome, Status, child_seed
from blockqnn.workers.contract import InlineExecutor
from tests.blockqnn.small_searches import (
    CONV1,
    CONV3,
    CONV3_AGAIN,
    CONV5,
    LAYOUT,
    NO_CONVOLUTION,
    CountingEvaluator,
    LastFirstExecutor,
    ScriptedAgent,
    SometimesFailing,
    search_settings,
    start,
    without_times,
)

HASH1, HASH3, HASH5 = (canonical_form(code).hash for code in (CONV1, CONV3, CONV5))


@pytest.fixture
def store():
    with contextlib.closing(Store.create_or_open(":memory:")) as store:
        yield store


def scripted(store, codes, blocks, outcomes=None, iterations=1, executor=InlineExecutor, **changes):
    """Runs a search whose suggestions are given; returns trials, agent and evaluator."""
    agent, evaluator = ScriptedAgent(codes), CountingEvaluator(outcomes)
    settings = search_settings(((1.0, iterations),), blocks_per_iteration=blocks, **changes)
    search, _ = start(settings, store, agent)
    trials = list(search.run(executor(evaluator)))
    return trials, agent, evaluator


def test_a_trained_block_is_recorded_with_all_that_is_known_of_it(store):
    outcome = Outcome((20.0, 60.0), None, 2, 1.5, 2.5, "a device", 7)
    mu_rho = RewardSettings(2.0, 5.0)
    (trial,), *_ = scripted(store, [CONV3_AGAIN], 1, {HASH3: [outcome]}, seed=9, reward=mu_rho)
    block = canonical_form(CONV3)
    spent = cost(block, LAYOUT)
    assert (trial.number, trial.iteration, trial.epsilon) == (1, 1, 0.25)
    assert (trial.code, trial.hash) == (CONV3_AGAIN, HASH3)
    assert trial.seed == child_seed(9, HASH3)
    assert (trial.status, trial.reason, trial.source) == (Status.COMPLETED, None, None)
    assert trial.density == block.density == 2 / 3
    assert (trial.parameters, trial.flops) == (spent.parameters, spent.flops)
    assert (trial.block_flops, trial.depth) == (spent.block_flops, spent.depth)
    assert trial.accuracies == (20.0, 60.0)
    assert trial.reward == corrected_reward(60.0, spent.block_flops, 2 / 3, mu_rho)
    assert (trial.restarts, trial.compile_seconds, trial.train_seconds) == (2, 1.5, 2.5)
    assert (trial.device, trial.worker) == ("a device", 7)


def test_the_executor_is_given_the_code_hash_and_seed_of_the_trial(store):
    (trial,), _, evaluator = scripted(store, [CONV3_AGAIN], 1)
    (job,) = evaluator.jobs
    assert (job.number, job.code, job.hash, job.seed) == (1, CONV3_AGAIN, HASH3, trial.seed)


def test_a_trial_is_in_the_store_when_it_is_yielded(store):
    search, _ = start(search_settings(), store)
    for count, trial in enumerate(search.run(InlineExecutor(CountingEvaluator())), start=1):
        stored = list(store.trials())
        assert len(stored) == count
        assert trial in stored


def test_a_schedule_is_carried_to_its_end(store):
    search, agent = start(search_settings(((1.0, 2), (0.5, 1), (0.0, 3))), store)
    assert not search.finished
    trials = list(search.run(InlineExecutor(CountingEvaluator())))
    assert search.finished
    assert store.facts()["iterations"] == search.ended_iterations == 6
    assert [trial.number for trial in without_times(trials)] == list(range(1, len(trials) + 1))
    epsilons = {trial.iteration: trial.epsilon for trial in trials}
    assert epsilons == {1: 1.0, 2: 1.0, 3: 0.5, 4: 0.0, 5: 0.0, 6: 0.0}
    for iteration in range(1, 7):
        here = [trial for trial in trials if trial.iteration == iteration]
        assert sum(trial.status is not Status.INFEASIBLE for trial in here) == 5
    assert agent.statistics()["episodes"] == len(trials)
    assert list(search.run(InlineExecutor(CountingEvaluator()))) == []


def test_infeasible_blocks_are_not_evaluated_and_do_not_count(store):
    codes = [NO_CONVOLUTION, CONV3, NO_CONVOLUTION, CONV5]
    trials, agent, evaluator = scripted(store, codes, 2)
    first, second, third, fourth = without_times(trials)
    for trial in (first, third):
        assert (trial.status, trial.reason) == (Status.INFEASIBLE, "no convolution")
        assert (trial.reward, trial.accuracy, trial.source) == (10.0, None, None)
    assert [second.status, fourth.status] == [Status.COMPLETED] * 2
    assert [job.number for job in evaluator.jobs] == [2, 4]
    assert agent.asked == [2, 1, 1]


def test_at_most_twenty_times_as_many_are_drawn_as_are_wanted(store):
    settings = search_settings(limits=Limits(max_parameters=1))
    search, _ = start(settings, store)
    evaluator = CountingEvaluator()
    trials = list(search.run(InlineExecutor(evaluator)))
    assert DRAWS_PER_BLOCK == 20
    assert len(trials) == 4 * 20 * 5
    assert {trial.status for trial in trials} == {Status.INFEASIBLE}
    assert not evaluator.jobs


def test_the_last_draws_are_not_exceeded(store):
    # Three are wanted, and one is found at once; then two are asked for until one draw is left.
    trials, agent, _ = scripted(store, [CONV3, *[NO_CONVOLUTION] * 99], 3)
    assert len(trials) == 60
    assert agent.asked == [3] + [2] * 28 + [1]


@pytest.mark.parametrize(("bfloat16", "size"), [(False, 4), (True, 2)])
def test_activations_are_limited_for_the_batch_in_its_dtype(store, bfloat16, size):
    wanted = cost(canonical_form(CONV3), LAYOUT).activations * 7 * size
    recipe = Recipe(epochs=1, batch_size=7, bfloat16=bfloat16)
    limits = Limits(max_activation_bytes=wanted)
    trials, *_ = scripted(store, [CONV3], 1, recipe=recipe, limits=limits)
    assert trials[0].status is Status.COMPLETED
    with contextlib.closing(Store.create_or_open(":memory:")) as other:
        limits = Limits(max_activation_bytes=wanted - 1)
        trials, *_ = scripted(other, [CONV3] * 20, 1, recipe=recipe, limits=limits)
    assert {trial.status for trial in trials} == {Status.INFEASIBLE}


def test_a_block_of_an_earlier_iteration_is_known(store):
    trials, agent, evaluator = scripted(store, [CONV3, CONV5, CONV3_AGAIN, CONV1], 2, iterations=2)
    source, _, known, _ = without_times(trials)
    assert (known.status, known.source) == (Status.KNOWN, 1)
    assert known.code == CONV3_AGAIN
    assert (known.accuracies, known.reward) == (source.accuracies, source.reward)
    assert (known.seconds, known.device) == (0.0, None)
    assert [job.hash for job in evaluator.jobs] == [HASH3, HASH5, HASH1]
    assert agent.updates[1][0].reward == source.reward / 100


@pytest.mark.parametrize("executor", [InlineExecutor, LastFirstExecutor])
def test_a_block_that_is_being_trained_is_known_when_it_ends(store, executor):
    codes = [CONV3, CONV5, CONV3_AGAIN, CONV3]
    trials, _, evaluator = scripted(store, codes, 4, executor=executor)
    source, _, *known = without_times(trials)
    assert source.status is Status.COMPLETED
    for trial in known:
        assert (trial.status, trial.source, trial.seconds) == (Status.KNOWN, 1, 0.0)
        assert (trial.accuracies, trial.reward) == (source.accuracies, source.reward)
    assert len(evaluator.jobs) == 2


def test_a_known_block_names_the_trained_one_and_not_another_known_one(store):
    trials, *_ = scripted(store, [CONV3] * 3, 1, iterations=3)
    assert [trial.source for trial in trials] == [None, 1, 1]


def test_a_failed_block_earns_guessing_without_correction(store):
    outcomes = {HASH3: [Outcome(reason="loss is nan", device="d", worker=2)]}
    (trial,), *_ = scripted(store, [CONV3], 1, outcomes)
    assert (trial.status, trial.reason, trial.reward) == (Status.FAILED, "loss is nan", 10.0)
    assert (trial.accuracy, trial.device, trial.worker) == (None, "d", 2)


def test_a_failed_block_is_tried_again_in_a_later_iteration(store):
    outcomes = {HASH3: [Outcome(reason="crash")]}
    trials, _, evaluator = scripted(store, [CONV3, CONV3, CONV3], 1, outcomes, iterations=3)
    assert [trial.status for trial in trials] == ["failed", "trained", "known"]
    assert [trial.source for trial in trials] == [None, None, 2]
    assert len({job.seed for job in evaluator.jobs}) == 1
    assert len(evaluator.jobs) == 2


@pytest.mark.parametrize("executor", [InlineExecutor, LastFirstExecutor])
def test_a_failed_block_is_tried_again_by_those_that_suggested_it_too(store, executor):
    outcomes = {HASH3: [Outcome(reason="one"), Outcome(reason="two")]}
    codes = [CONV3, CONV5, CONV3, CONV3, CONV3_AGAIN]
    trials, _, evaluator = scripted(store, codes, 5, outcomes, executor=executor)
    trials = without_times(trials)
    statuses = [trial.status for trial in trials]
    assert statuses == ["failed", "trained", "failed", "trained", "known"]
    assert [trial.reason for trial in trials] == ["one", None, "two", None, None]
    assert trials[4].source == 4
    assert len(evaluator.jobs) == 4


def test_the_agent_is_told_everything_in_order_as_it_wrote_it(store):
    outcomes = {HASH5: [Outcome(reason="crash")], HASH3: [Outcome((40.0,))]}
    codes = [NO_CONVOLUTION, CONV5, CONV3_AGAIN, CONV3]
    trials, agent, _ = scripted(store, codes, 3, outcomes, executor=LastFirstExecutor)
    (episodes,) = agent.updates
    assert [episode.actions for episode in episodes] == codes
    block_flops = without_times(trials)[-1].block_flops
    reward = corrected_reward(40.0, block_flops, 2 / 3, RewardSettings())
    assert [episode.reward for episode in episodes] == pytest.approx(
        [0.1, 0.1, reward / 100, reward / 100]
    )


@pytest.mark.parametrize("evaluator", [CountingEvaluator, SometimesFailing])
def test_the_order_of_outcomes_does_not_matter(evaluator):
    results = []
    for executor in (InlineExecutor, LastFirstExecutor):
        with contextlib.closing(Store.create_or_open(":memory:")) as store:
            search, agent = start(search_settings(((1.0, 2), (0.3, 4))), store)
            trials = list(search.run(executor(evaluator())))
            results.append((without_times(trials), agent.get_state(), store.agent_state()))
    assert results[0] == results[1]
    assert {trial.status for trial in results[0][0]} >= {"trained", "known", "infeasible"}


@pytest.mark.parametrize("config", [None, RandomSearchConfig()])
def test_the_seed_fixes_everything(config):
    def run(seed):
        changes = {"agent": config} if config else {}
        with contextlib.closing(Store.create_or_open(":memory:")) as store:
            search, agent = start(search_settings(seed=seed, **changes), store)
            trials = list(search.run(InlineExecutor(CountingEvaluator())))
            return without_times(trials), agent.get_state()

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_a_store_that_this_search_would_not_have_written_is_refused(store):
    search, _ = start(search_settings(), store)
    running = search.run(InlineExecutor(CountingEvaluator()))
    for _ in range(3):
        next(running)
    other, _ = start(search_settings(seed=1), store)
    with pytest.raises(UserError, match="another version"):
        list(other.run(InlineExecutor(CountingEvaluator())))
