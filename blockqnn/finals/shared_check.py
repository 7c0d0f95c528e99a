"""How well scores by shared weights rank designs: some of them trained with weights of their own.

Beside that stands what the number of parameters alone ranks, which costs nothing: scores that
do no better are not worth their seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, TextIO

import numpy as np

from blockqnn.calibration.longer_training import on_its_data, outcomes
from blockqnn.errors import INTERRUPTED
from blockqnn.evaluation.contract import TRAIN
from blockqnn.listing import counted, duration, number, table
from blockqnn.measure import Measure, measure_of
from blockqnn.networks.spaces.registry import space_named
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import read_run
from blockqnn.runs.store import Store
from blockqnn.runs.supernet_record import CHECK, SPLITS
from blockqnn.searching.supernet_paths import CONTROL, WHOLE, cuts_from_fact, owner, parts_of
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.supernets.cuts import Cut
from blockqnn.supernets.sampling import uniform_path
from blockqnn.trial import Job, Status, Trial, child_seed, job_of
from blockqnn.workers.choice import make_executor

SCORE, PARAMETERS = "score by shared weights", "number of parameters"
LEAST = 4
"""Designs without which a rank correlation says nothing."""


def check_scores(search: SearchSettings, run: RunSettings, count: int, stream: TextIO) -> int:
    """Trains some of a run's designs with weights of their own, and says how scores rank them.

    Args:
        search: settings of the search, with its supernet.
        run: where it is.
        count: designs that are trained, from the whole range of scores.
        stream: for progress and results.

    Returns:
        The exit status.

    Raises:
        UserError: if the run or its data cannot be used.
    """
    record = read_run(run.run_dir)
    scored = [trial for trial in record.trials if trial.status is Status.COMPLETED]
    if len(scored) < LEAST:
        print(
            f"\n{counted(len(scored), 'design')} with a score are too few to be checked.",
            file=stream,
        )
        return 0
    own = on_its_data(record, dataclasses.replace(search, evaluator=TRAIN, supernet=None))
    with run_directory.opened(dataclasses.replace(run, flag_values={})) as store:
        try:
            cuts = cuts_from_fact(store.facts().get(SPLITS, {}))
            sample = _train(store, scored, own, run, min(count, len(scored)), stream)
            others = _scored_by_others(sample, search, run)
            drawn = _scores_of_random(len(scored), search, run, cuts)
        except KeyboardInterrupt:
            print(f"\nStopped; what has finished is in {run.run_dir}.", file=stream)
            return INTERRUPTED
        found = store.facts()[CHECK]
    print(f"\n{in_words(sample, found, others)}", file=stream)
    if drawn:
        own_scores, measure = [t.accuracies[-1] for t in scored], measure_of(scored[0].code)
        scores = "score" if measure.unit else f"have a {measure.name} by shared weights of"
        print(
            f"{counted(len(drawn), 'design')} drawn at random {scores} "
            f"{_mean_in_words(measure, drawn)} on average and {measure.in_words(max(drawn))} at "
            f"best; the {len(own_scores)} of the search {_mean_in_words(measure, own_scores)} and "
            f"{measure.in_words(max(own_scores))}.",
            file=stream,
        )
    return 0


def _scores_of_random(
    count: int, search: SearchSettings, run: RunSettings, cuts: Mapping[str, Cut]
) -> list[float]:
    """Scores of as many designs drawn at random, in percent; none where the agent draws so."""
    assert search.supernet is not None
    if run.flag_values["agent"] == "random":
        return []
    space = space_named(search.space, search.max_layers)
    parts = parts_of(search.supernet, space, cuts)
    random = np.random.default_rng([search.seed, count])
    jobs = []
    for place in range(count):
        code = uniform_path(space, {}, random)
        jobs.append(Job(place, code, "", 0, bank=owner(parts, space, code).last_bank))
    with contextlib.closing(make_executor(search, run)) as executor:
        found = [outcome.accuracies for _, outcome in outcomes(jobs, executor)]
    return [accuracies[-1] for accuracies in found if accuracies]


def _scored_by_others(
    sample: Sequence[Trial], search: SearchSettings, run: RunSettings
) -> dict[str, dict[int, float]]:
    """Scores by the whole supernet before it was split, and by the control: {words: {trial: %}}."""
    assert search.supernet is not None
    parts = parts_of(search.supernet, space_named(search.space))
    words = {WHOLE: "score before the split", CONTROL: "score by the control"}
    banks = {words[part.name]: part.last_bank for part in parts if part.name in words}
    if not search.supernet.split:
        return {}
    found: dict[str, dict[int, float]] = {}
    with contextlib.closing(make_executor(search, run)) as executor:
        for name, bank in banks.items():
            jobs = [dataclasses.replace(job_of(trial), bank=bank) for trial in sample]
            found[name] = {
                number: outcome.accuracies[-1]
                for number, outcome in outcomes(jobs, executor)
                if outcome.accuracies
            }
    return found


def _train(
    store: Store,
    scored: Sequence[Trial],
    search: SearchSettings,
    run: RunSettings,
    count: int,
    stream: TextIO,
) -> list[Trial]:
    """Trains what is missing, and returns the sample."""
    from blockqnn.calibration.sample import stratified_sample

    found: dict[str, Any] = store.facts().get(CHECK, {})
    known = [int(number) for number in found]
    sample = stratified_sample(scored, count, search.seed, preferred=known)
    missing = [trial for trial in sample if str(trial.number) not in found]
    if not missing:
        return sample
    search = dataclasses.replace(
        search, blocks_per_iteration=len(missing), asynchronous=False, first_blocks=()
    )
    print(
        f"\nTraining {counted(len(missing), 'design')} with weights of their own, "
        f"{counted(search.recipe.epochs, 'epoch')} each, to check the scores ...",
        file=stream,
        flush=True,
    )
    jobs = [
        dataclasses.replace(job_of(trial), seed=child_seed(search.seed, trial.hash))
        for trial in missing
    ]
    with contextlib.closing(make_executor(search, run)) as executor:
        for done, (place, outcome) in enumerate(outcomes(jobs, executor), start=1):
            accuracy = outcome.accuracies[-1] if outcome.accuracies else None
            own = {
                "accuracy": accuracy,
                "seconds": outcome.train_seconds + outcome.waiting_seconds,
                "reason": outcome.reason,
            }
            found = {**found, str(place): own}
            store.set_facts({CHECK: found})
            said = outcome.reason or measure_of(missing[0].code).in_words(accuracy)
            print(f"  {done:3} of {len(jobs)}: trial {place}, {said}", file=stream, flush=True)
    return sample


def in_words(
    sample: Sequence[Trial],
    found: Mapping[str, Any],
    others: Mapping[str, Mapping[int, float]],
) -> str:
    """The check for people.

    Args:
        sample: that was trained.
        found: the fact of the store.
        others: scores by other banks, in percent, by what they are and the number of the trial.

    Returns:
        A table, and what follows from it.
    """
    from blockqnn.calibration.rank_correlation import bootstrap, kendall, spearman

    ended = [
        (trial, found[str(trial.number)])
        for trial in sample
        if found[str(trial.number)]["accuracy"] is not None
    ]
    if len(ended) < LEAST:
        return "Too few of the trainings came to an end; nothing is known of the scores."
    own = np.array([each["accuracy"] for _, each in ended])
    values = {
        SCORE: np.array([trial.accuracies[-1] for trial, _ in ended]),
        **{
            name: np.array([scores.get(trial.number, 0.0) for trial, _ in ended])
            for name, scores in others.items()
        },
    }
    counts = np.array([float(trial.parameters) for trial, _ in ended])
    if len(set(counts)) > 1:
        # Cells of one size may all have as many, which ranks nothing.
        values[PARAMETERS] = counts
    rows, taus = [], {}
    for name, these in values.items():
        tau, rho = bootstrap(kendall, these, own), bootstrap(spearman, these, own)
        taus[name] = tau.value
        rows.append(
            [
                *(
                    f"{number(each.value)} [{number(each.low)}, {number(each.high)}]"
                    for each in (tau, rho)
                ),
                name,
            ]
        )
    seconds = sum(each["seconds"] for _, each in ended)
    best = max(ended, key=lambda pair: pair[0].accuracies[-1])
    measure = measure_of(best[0].code)
    lines = [
        f"Rank correlation with the {measure.name} of {len(ended)} networks with weights of their "
        f"own ({duration(seconds)}), 95 % bootstrap intervals:",
        table(["Kendall", "Spearman", "of"], rows),
        f"The one of the highest score among them, trial {best[0].number}, has "
        f"{measure.in_words(best[1]['accuracy'])} of its own; the best of them has "
        f"{measure.in_words(own.max())}, their mean is {_mean_in_words(measure, own)}.",
    ]
    if PARAMETERS in taus and not taus[SCORE] > taus[PARAMETERS]:
        lines.append(
            "The scores rank designs no better than their number of parameters does, "
            "which costs nothing."
        )
    return "\n".join(lines)


def _mean_in_words(measure: Measure, kept: Sequence[float] | np.ndarray) -> str:
    """The mean of what is read."""
    return f"{number(fmean(measure.value(float(each)) for each in kept))}{measure.unit}"
