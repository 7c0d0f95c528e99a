"""Searches of a contest, written down by hand."""

from blockqnn.contests.metered import CHILD, SUPERNET
from blockqnn.contests.method_runs import FINALS, Choice, MethodRun, Step
from blockqnn.contests.method_standings import columns_of, costs, rows


def choice(judged, reference="run#1"):
    return Choice("code", 50.0, reference, judged)


def agent_run(title, seed, *steps, finals=0.0):
    """Steps are seconds, rewards and judged accuracies."""
    found = tuple(
        Step(n, seconds, reward, choice(judged, f"{title}#{n}"), parameters=n % 2)
        for n, (seconds, reward, judged) in enumerate(steps, start=1)
    )
    last = max(found, key=lambda step: step.reward).choice
    cost = {CHILD: found[-1].seconds, FINALS: finals}
    return MethodRun(title, seed, found, len(found), last, last, cost, 0.0, False)


def whole_run(title, seed, seconds, judged, final=None):
    last = choice(final or judged, f"{title}#9")
    return MethodRun(title, seed, (), 0, last, choice(judged), {SUPERNET: seconds}, 3.0, True)


RUNS = {
    "random": [
        agent_run("random", 0, (10, 60, 80), (20, 50, 99), (30, 70, 82)),
        agent_run("random", 1, (12, 60, 84), (22, 65, 86), (33, 64, 99)),
    ],
    "one_shot": [whole_run("one_shot", 0, 25, 90), whole_run("one_shot", 1, 15, 91)],
}


def facts_of(**judged):
    """What a contest shows of `RUNS` after two evaluations, with one judge."""
    found = rows(RUNS, 2, columns_of([2], []), lambda chosen: chosen.judged, "random")
    usual = {"by": "a judge", "measure": "accuracy", "judged_on": [], "without_search": []}
    return {
        "judges": [usual | {"rows": found} | judged],
        "reference": "random",
        "seeds": 2,
        "costs": costs(RUNS),
        "too_small": [],
    }
