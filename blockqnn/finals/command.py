"""The verb `finals`: the best blocks of a run trained for longer, in rounds."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TextIO

from blockqnn.calibration.longer_training import on_its_data
from blockqnn.errors import INTERRUPTED
from blockqnn.evaluation.contract import PROXY, SHARED, TRAIN
from blockqnn.finals.ending import print_result
from blockqnn.finals.planning import (
    begin,
    make_plan,
    refuse_other_plan,
    refuse_untrainable,
    usual_rounds,
)
from blockqnn.finals.work import Work, images_of_search
from blockqnn.heading import heading
from blockqnn.listing import DRY_NOTICE, counted
from blockqnn.runs import run_directory
from blockqnn.runs.rounds import Round, in_words, parse_rounds, short_rounds
from blockqnn.runs.run_record import RunRecord, read_run
from blockqnn.runs.store import Store
from blockqnn.searching.command import run_search
from blockqnn.searching.heading import data_words, device_words
from blockqnn.searching.progress import Progress
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.workers.choice import check_executor


@dataclasses.dataclass(frozen=True)
class FinalsSettings:
    """What to train.

    Attributes:
        search: settings of the search; the images of its training part may be more.
        training: where the run is, and how the trainings are carried out.
        rounds: in order; None for those that the run has, or else usual ones.
        seeds: trainings of each block in usual rounds; 0 for one, and two in the last round.
        again: drop finals that have ended, or that are others than these.
        as_json: print one JSON object.
        own_examples: whether the number of training images was named.
        recipe: flags by which `search` has another recipe than the run's search had.
        after_search: whether the search has just ended, so that less need be said.
    """

    search: SearchSettings
    training: RunSettings
    rounds: tuple[Round, ...] | None = None
    seeds: int = 0
    again: bool = False
    as_json: bool = False
    own_examples: bool = False
    recipe: tuple[str, ...] = ()
    after_search: bool = False

    @property
    def run_dir(self) -> pathlib.Path:
        """The run's."""
        return self.training.run_dir


def finals(settings: FinalsSettings, stream: TextIO) -> int:
    """Trains the best blocks of a run in rounds, or goes on with it, and tells who won.

    Args:
        settings: which run, and how.
        stream: for progress and results.

    Returns:
        The exit status.

    Raises:
        UserError: if the run or its data cannot be used, or it has finals of another kind.
    """
    refuse_untrainable(read_run(settings.run_dir))
    if settings.search.evaluator in (PROXY, SHARED):
        # What was scored is trained here, with weights of its own, for the first time.
        trained = dataclasses.replace(settings.search, evaluator=TRAIN, supernet=None)
        settings = dataclasses.replace(settings, search=trained)
    check_executor(settings.training)
    said = None if settings.as_json else stream
    # What the search is has been settled: only this directory's lock and store are needed.
    with run_directory.opened(dataclasses.replace(settings.training, flag_values={})) as store:
        run = read_run(settings.run_dir)
        rounds = _rounds(settings, run)
        examples = _train_examples(settings, run)
        data = dataclasses.replace(settings.search.data, train_examples=examples)
        search = on_its_data(run, dataclasses.replace(settings.search, data=data))
        _begin(store, run, rounds, settings, search, said)
        try:
            Work(store, search, settings.training, said).carry_on()
        except KeyboardInterrupt:
            print(
                f"\nStopped; what has finished is in {run.path}. The same "
                f"{'call' if settings.training.from_python else 'command'} continues.",
                file=stream,
            )
            return INTERRUPTED
    return print_result(read_run(settings.run_dir), settings.as_json, stream)


def search_and_finals(
    search: SearchSettings,
    run: RunSettings,
    stream: TextIO,
    listeners: Sequence[Progress] = (),
) -> int:
    """Runs a search, or goes on with it, and the finals that shall follow, if any.

    Args:
        search: what to search.
        run: how and where; its `finals` are carried out when the search has ended.
        stream: for progress and results.
        listeners: are told of the trials besides.

    Returns:
        The exit status.

    Raises:
        UserError: if the run directory or the data set cannot be used.
    """
    rounds = parse_rounds(run.finals)
    if rounds:
        refuse_other_plan(run, rounds, search.data.train_examples)
    status = run_search(search, run, stream, listeners=listeners)
    if status or not rounds:
        return status
    own = run.finals_recipe
    settings = FinalsSettings(
        search=dataclasses.replace(search, recipe=own.recipe) if own else search,
        training=run,
        rounds=rounds,
        own_examples=True,
        recipe=own.flags if own else (),
        after_search=True,
    )
    return finals(settings, stream)


def _rounds(settings: FinalsSettings, run: RunRecord) -> tuple[Round, ...]:
    if settings.rounds:
        return settings.rounds
    if run.finals and not settings.seeds:
        return run.finals.plan.rounds
    trained, epochs = len(run.by_reward), settings.search.recipe.epochs
    # What the search would have done at its end.
    of_search = () if settings.seeds else parse_rounds(settings.training.finals)
    return of_search or usual_rounds(trained, epochs, settings.seeds)


def _train_examples(settings: FinalsSettings, run: RunRecord) -> int:
    if run.finals and not settings.own_examples:
        return run.finals.plan.train_examples
    return settings.search.data.train_examples


def _begin(
    store: Store,
    run: RunRecord,
    rounds: tuple[Round, ...],
    settings: FinalsSettings,
    search: SearchSettings,
    said: TextIO | None,
) -> None:
    """Commits the plan and says what will be done."""
    plan = make_plan(run, rounds, search.data.train_examples, settings.recipe)
    sentences = begin(store, run, plan, settings.again)
    if said is None:
        return
    entering = len(plan.trials)
    if entering < rounds[0].blocks:
        sentences.append(
            f"Round 1 is for {counted(rounds[0].blocks, 'block')}; the run has trained "
            f"{entering:,} different ones, which all enter."
        )
    most = dataclasses.replace(search, blocks_per_iteration=entering, asynchronous=False)
    facts = {
        "Run": f"{run.path}, {counted(plan.trained, 'block')} trained",
        "Data": data_words(search),
        "Device": device_words(most, settings.training),
        "Finals": f"{in_words(rounds)}\n--rounds={short_rounds(rounds)}",
        "Recipe": f"the search's, but {' '.join(plan.recipe)}" if plan.recipe else None,
    }
    if settings.after_search:
        facts = {name: facts[name] for name in ("Finals", "Recipe")}
        print(file=said)
    elif search.data.train_examples != images_of_search(run, search):
        facts["Images"] = _images(search.data.train_examples)
    print(heading(facts), *sentences, sep="\n", file=said, flush=True)
    if run.dry and not settings.after_search:
        print(DRY_NOTICE, file=said, flush=True)


def _images(most: int) -> str:
    return f"at most {most:,} to train on" if most else "all that are not held out are trained on"
