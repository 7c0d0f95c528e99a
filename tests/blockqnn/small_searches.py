"""Small searches: settings, and agents, evaluators and executors that stand in for real ones."""

import dataclasses

from blockqnn.agents.contract import Episode
from blockqnn.agents.q_learning import QLearningConfig
from blockqnn.evaluation.contract import DryEvaluator
from blockqnn.networks.cost import Limits
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.nsc.canonical import canonical_form
from blockqnn.networks.spaces.nsc.codes import check
from blockqnn.searching.asynchronous import AsynchronousSearch
from blockqnn.searching.loop import Search
from blockqnn.settings import DataSettings, Recipe, RewardSettings, SearchSettings
from blockqnn.trial import Job, Outcome
from blockqnn.workers.contract import InlineExecutor

SCHEDULE = ((1.0, 2), (0.5, 2))
SECONDS = ("compile_seconds", "train_seconds", "waiting_seconds", "saved_seconds")
LAYOUT = Layout(filters=(4,), repeats=1, height=8, width=8, channels=1, classes=10)
CONV1 = check([(1, 1, 1, 0, 0)])
CONV3 = check([(1, 1, 3, 0, 0)])
CONV5 = check([(1, 1, 5, 0, 0)])
CONV3_AGAIN = check([(1, 4, 0, 0, 0), (2, 1, 3, 1, 0)])
NO_CONVOLUTION = check([(1, 2, 3, 0, 0)])


def search_settings(schedule=SCHEDULE, **changes):
    """Settings of a search of short blocks, many of which repeat one another."""
    settings = SearchSettings(
        agent=QLearningConfig(learning_rate=0.2, epsilon_schedule=schedule, replay_updates=16),
        schedule=schedule,
        blocks_per_iteration=5,
        space="nsc",
        max_layers=3,
        seed=0,
        layout=LAYOUT,
        limits=Limits(),
        data=DataSettings(),
        recipe=Recipe(epochs=3),
        reward=RewardSettings(),
        evaluator="dry",
    )
    return dataclasses.replace(settings, **changes)


class ScriptedAgent:
    """Suggests the codes that it was given, in order, and keeps what it is told."""

    def __init__(self, codes, epsilon=0.25):
        self._codes = list(codes)
        self._epsilon = epsilon
        self.updates = []
        self.asked = []

    def suggest(self, count):
        self.asked.append(count)
        suggested, self._codes = self._codes[:count], self._codes[count:]
        assert len(suggested) == count, "more is asked for than the script has"
        return suggested

    def update(self, episodes):
        assert all(isinstance(episode, Episode) for episode in episodes)
        self.updates.append(list(episodes))

    def get_state(self, changed_only=False):
        return {"updates": len(self.updates)}

    def set_state(self, state, episodes):
        raise AssertionError("not for searches that go on")

    def statistics(self):
        return {"epsilon": self._epsilon}


class CountingEvaluator:
    """The dry evaluator, or outcomes by hash; counts how often each block comes."""

    device = "counting"
    slots = 1
    ahead = 0

    def __init__(self, outcomes=None):
        self._dry = DryEvaluator(3, 10)
        self._outcomes = outcomes or {}
        self.jobs = []

    def evaluate(self, job, slot):
        before = sum(earlier.hash == job.hash for earlier in self.jobs)
        self.jobs.append(job)
        scripted = self._outcomes.get(job.hash, [])
        return scripted[before] if before < len(scripted) else self._dry.evaluate(job, slot)


class SometimesFailing(CountingEvaluator):
    """Deterministic: of the blocks, about a quarter fail whenever they are tried."""

    def evaluate(self, job, slot):
        if job.hash[0] in "0123":
            return Outcome(reason="unlucky hash")
        return super().evaluate(job, slot)


class LastFirstExecutor(InlineExecutor):
    """Answers in the reverse order of what was submitted."""

    def next_outcome(self):
        job = self._jobs.pop()
        return job.number, self._evaluator.evaluate(job, slot=0)


def job(number, code):
    """A job as the search makes it, but for the seed."""
    return Job(number, code, canonical_form(code).hash, seed=number)


def start(settings, store, agent=None):
    """A search as a new process would make it, and its agent."""
    agent = agent or settings.make_agent()
    kind = AsynchronousSearch if settings.asynchronous else Search
    return kind(settings, agent, store), agent


def without_times(trials):
    """Trials as they must not differ between machines, in order of number."""
    quiet = {"finished": None, "worker": None} | dict.fromkeys(SECONDS, 0.0)
    return sorted(
        (dataclasses.replace(trial, **quiet) for trial in trials), key=lambda trial: trial.number
    )
