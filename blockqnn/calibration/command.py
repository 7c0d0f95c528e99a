"""The verb `calibrate`: some blocks of a run trained for longer, and what that teaches."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import time
from typing import TextIO

from blockqnn.calibration.longer_training import on_its_data, train_longer
from blockqnn.errors import INTERRUPTED, UserError
from blockqnn.evaluation.contract import DRY
from blockqnn.evaluation.recorded import checked_facts
from blockqnn.heading import heading
from blockqnn.invocation import command
from blockqnn.listing import about, counted
from blockqnn.measure import measure_of
from blockqnn.runs import run_directory
from blockqnn.runs.run_record import RunRecord, read_run, refuse_scores
from blockqnn.runs.spending import none_trained
from blockqnn.runs.store import Store
from blockqnn.settings import RunSettings, SearchSettings
from blockqnn.trial import Status, Trial
from blockqnn.workers.choice import make_executor
from blockqnn.workers.machine import described

_SAMPLE = "calibration"


@dataclasses.dataclass(frozen=True)
class CalibrateSettings:
    """What to find out.

    Attributes:
        run_dir: the search's.
        search: of the search, with the longer recipe.
        training: where and how the longer trainings are carried out; its flag
            values say what they are.
        blocks: how many are trained for longer.
        seed: of their choice and, added to the search's, of their weights.
        out: of the figure; None for none.
        as_json: print one JSON object.
    """

    run_dir: pathlib.Path
    search: SearchSettings
    training: RunSettings
    blocks: int
    seed: int
    out: pathlib.Path | None
    as_json: bool


def calibrate(settings: CalibrateSettings, stream: TextIO) -> int:
    """Trains a sample of a run's blocks for longer, or goes on with it, and reports.

    Args:
        settings: which run, and how.
        stream: for progress and results.

    Returns:
        The exit status.

    Raises:
        UserError: if the run, the directory or the data set cannot be used.
    """
    # SciPy is behind them, for which other verbs need not wait.
    from blockqnn.calibration.figure import check_figure_path

    if settings.out is not None:
        check_figure_path(settings.out)
    run = read_run(settings.run_dir)
    refuse_scores(run, "calibrate")
    settings = dataclasses.replace(settings, search=on_its_data(run, settings.search))
    trained = [trial for trial in run.trials if trial.status is Status.COMPLETED]
    if not trained:
        raise UserError(f"The run in {run.path} {none_trained(run.trials)}.")
    if len(trained) < settings.blocks:
        raise UserError(
            f"--blocks is {settings.blocks}; the run in {run.path} has trained {len(trained)} "
            "blocks so far."
        )
    with run_directory.opened(dataclasses.replace(settings.training, flag_values={})) as store:
        _check_same(store, settings)
        sample = _sample(store, trained, settings)
        try:
            _carry_on(store, sample, settings, None if settings.as_json else stream)
        except KeyboardInterrupt:
            print(
                f"\nStopped; what has finished is in {settings.training.run_dir}. The same "
                "command continues.",
                file=stream,
            )
            return INTERRUPTED
        longer = {trial.number: trial for trial in store.trials()}
    _report(run, sample, longer, settings, stream)
    return 0


def _check_same(store: Store, settings: CalibrateSettings) -> None:
    """Refuses to mix trainings of different kinds."""
    place = settings.training.run_dir
    before = store.facts().get("flags")
    if before is None:
        return
    if _SAMPLE not in store.facts():
        raise UserError(f"{place} holds a search; name another --calibration_dir.")
    known = run_directory.known_by_content(store.facts())
    for name, value in settings.training.flag_values.items():
        if name in known:
            continue
        old = before.get(name, value)
        if old != value:
            raise UserError(
                f"The trainings in {place} were begun with --{name}={old}; now it is "
                f"--{name}={value}. Name another --calibration_dir."
            )


def _sample(store: Store, trained: list[Trial], settings: CalibrateSettings) -> list[Trial]:
    """The blocks to train, the same ones whenever the same command goes on."""
    from blockqnn.calibration.sample import stratified_sample

    by_number = {trial.number: trial for trial in trained}
    before = store.facts().get(_SAMPLE)
    numbers = before["numbers"] if before and before["blocks"] == settings.blocks else []
    done = {trial.number: trial.hash for trial in store.trials()}
    foreign = [n for n, of in done.items() if n not in by_number or by_number[n].hash != of]
    if foreign or not by_number.keys() >= set(numbers):
        raise UserError(
            f"{settings.training.run_dir} holds trainings of blocks that {settings.run_dir} does "
            "not have; name another --calibration_dir."
        )
    if numbers:
        return [by_number[chosen] for chosen in numbers]
    return stratified_sample(trained, settings.blocks, settings.seed, preferred=done)


def _carry_on(
    store: Store, sample: list[Trial], settings: CalibrateSettings, stream: TextIO | None
) -> None:
    done = {trial.number for trial in store.trials()}
    missing = [trial for trial in sample if trial.number not in done]
    facts = {_SAMPLE: {"blocks": settings.blocks, "numbers": [t.number for t in sample]}}
    if not missing:
        store.set_facts(facts)
        return
    search = dataclasses.replace(settings.search, blocks_per_iteration=len(missing))
    where = f"the training in {settings.training.run_dir}"
    sources = checked_facts(store.facts(), search, where)
    if stream is not None:
        facts_first = {
            "Run": str(settings.run_dir),
            "Data": search.data.dataset,
            "Device": described(),
        }
        print(f"{heading(facts_first)}\nStarting the workers ...", file=stream, flush=True)
    with contextlib.closing(make_executor(search, settings.training)) as executor:
        store.set_facts(
            facts
            | {
                "flags": settings.training.flag_values,
                "layout": search.layout.as_json(),
                "dry": search.evaluator == DRY,
                **sources,
            }
        )
        if stream is not None:
            print(
                f"Training {len(missing)} of {counted(len(sample), 'block')} for "
                f"{counted(search.recipe.epochs, 'epoch')}, {executor.slots} at a time; "
                f"they are kept in {settings.training.run_dir}. The first are compiled ...",
                file=stream,
                flush=True,
            )
        begun = time.monotonic()
        early = {trial.number: trial for trial in sample}
        seed = search.seed + settings.seed
        for place, trial in enumerate(
            train_longer(missing, executor, store, search, seed), start=1
        ):
            if stream is not None:
                measure = measure_of(trial.code)
                said = trial.reason or measure.growth(
                    early[trial.number].accuracy, trial.accuracy, "at the end"
                )
                left = (time.monotonic() - begun) / place * (len(missing) - place)
                rest = f"; about {about(left)} left" if place < len(missing) else ""
                print(
                    f"  {place:3} of {len(missing)}: trial {trial.number}, {said}, "
                    f"{trial.seconds:.1f} s{rest}",
                    file=stream,
                    flush=True,
                )


def _report(
    run: RunRecord,
    sample: list[Trial],
    longer: dict[int, Trial],
    settings: CalibrateSettings,
    stream: TextIO,
) -> None:
    from blockqnn.calibration.figure import draw_figure
    from blockqnn.calibration.findings import analyse
    from blockqnn.calibration.report import as_flags, as_json, in_words, recommended

    ended = [t for t in sample if longer[t.number].status is Status.COMPLETED]
    final = [longer[trial.number].accuracies[-1] for trial in ended]
    try:
        findings = analyse(ended, final, settings.search.reward)
    except ValueError as error:
        raise UserError(
            f"The longer trainings in {settings.training.run_dir} say nothing: {error}."
        ) from error
    if settings.out is not None:
        draw_figure(findings, settings.out, settings.search.recipe.epochs, run.dry)
    seconds = sum(longer[trial.number].seconds for trial in sample)
    if settings.as_json:
        facts = {
            "run": str(run.path),
            "dry": run.dry,
            "early_epochs": max(len(trial.accuracies) for trial in ended),
            "epochs": settings.search.recipe.epochs,
            "failed": len(sample) - len(ended),
            "seconds": seconds,
        }
        print(json.dumps(facts | as_json(findings)), file=stream)
        return
    if run.notice:
        print(run.notice, file=stream)
    if len(ended) < len(sample):
        print(f"{len(sample) - len(ended)} blocks failed and are left out.", file=stream)
    print(f"\n{in_words(findings)}", file=stream)
    print(
        f"\nThe run under them:  {command('rescore', run.path)} {as_flags(recommended(findings))}",
        file=stream,
    )
    if settings.out is not None:
        print(f"Drawn:               {settings.out}", file=stream)
