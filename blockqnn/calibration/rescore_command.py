"""The verb `rescore`: a run's trials ranked under other coefficients of the reward."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, TextIO

from blockqnn.errors import FAILED, UserError
from blockqnn.listing import counted, in_units, judged, judged_by, number, table_with_codes
from blockqnn.networks.spaces.registry import write
from blockqnn.reward import corrected_reward, rewarded_accuracy
from blockqnn.runs.run_record import RunRecord, read_run, refuse_scores
from blockqnn.runs.spending import nothing_trained
from blockqnn.settings import RewardSettings
from blockqnn.terminal import Terminal, terminal_of
from blockqnn.trial import Trial


@dataclasses.dataclass(frozen=True)
class RescoreSettings:
    """What to rank, and by what.

    Attributes:
        run_dir: the run.
        mu: weight of log(FLOPs in millions); None for the run's own.
        rho: weight of log(density); None for the run's own.
        top: best blocks to list; 0 for all.
        as_json: print one JSON object.
    """

    run_dir: pathlib.Path
    mu: float | None
    rho: float | None
    top: int
    as_json: bool


@dataclasses.dataclass(frozen=True)
class Rescored:
    """A trained trial under other coefficients.

    Attributes:
        trial: as the run has it.
        reward: under the other coefficients, in percent.
        rank: by that reward, from 1.
        old_rank: by the run's reward, from 1.
    """

    trial: Trial
    reward: float
    rank: int
    old_rank: int


def rescore(settings: RescoreSettings, stream: TextIO) -> int:
    """Prints a run's best blocks under other coefficients; trains and writes nothing.

    Args:
        settings: which run, and the coefficients.
        stream: where to print.

    Returns:
        The exit status: 1 where no block was trained.

    Raises:
        UserError: if there is no such run.
    """
    run = read_run(settings.run_dir)
    refuse_scores(run, "rescore")
    old = run_reward(run)
    new = RewardSettings(
        mu=old.mu if settings.mu is None else settings.mu,
        rho=old.rho if settings.rho is None else settings.rho,
        last_epochs=old.last_epochs,
        perplexity_power=old.perplexity_power,
    )
    ranked = rescored(run, new)
    shown = ranked[: settings.top or None]
    if settings.as_json:
        facts = {
            "run": str(run.path),
            "dry": run.dry,
            "trained": len(ranked),
            "mu": new.mu,
            "rho": new.rho,
            "old_mu": old.mu,
            "old_rho": old.rho,
            "best": [_facts(row) for row in shown],
        }
        print(json.dumps(facts), file=stream)
        return 0 if ranked else FAILED
    if run.notice:
        print(run.notice, file=stream)
    if not ranked:
        print(nothing_trained(run.trials), file=stream)
        return FAILED
    moved = sum(row.rank != row.old_rank for row in ranked)
    print(
        f"{counted(len(ranked), 'trained block')} under mu = {new.mu:g}, rho = {new.rho:g}; the "
        f"run has mu = {old.mu:g}, rho = {old.rho:g}. {moved} have another rank.\n",
        file=stream,
    )
    print(_table(shown, terminal_of(stream)), file=stream)
    return 0


def rescored(run: RunRecord, reward: RewardSettings) -> list[Rescored]:
    """The trained trials of a run under other coefficients.

    Args:
        run: as `read_run` returns it.
        reward: the coefficients.

    Returns:
        Best first, earlier trials before equals.
    """
    trained = run.by_reward
    old_rank = {trial.number: rank for rank, trial in enumerate(trained, start=1)}
    rewards = {
        trial.number: corrected_reward(
            rewarded_accuracy(trial.accuracies, reward), trial.block_flops, trial.density, reward
        )
        for trial in trained
    }
    order = sorted(trained, key=lambda trial: (-rewards[trial.number], trial.number))
    return [
        Rescored(trial, rewards[trial.number], rank, old_rank[trial.number])
        for rank, trial in enumerate(order, start=1)
    ]


def run_reward(run: RunRecord) -> RewardSettings:
    """The coefficients that a run was made with.

    Args:
        run: as `read_run` returns it.

    Returns:
        The coefficients; the paper's where the run does not say.

    Raises:
        UserError: if its flags are no numbers.
    """
    usual = RewardSettings()
    try:
        return RewardSettings(
            perplexity_power=int(run.flags.get("perplexity_power", 1))
            if run.layout.of_words
            else 0,
            mu=float(run.flags.get("mu", usual.mu)),
            rho=float(run.flags.get("rho", usual.rho)),
            last_epochs=int(run.flags.get("reward_epochs", usual.last_epochs)),
        )
    except ValueError as error:
        raise UserError(f"The run in {run.path} has a --mu or --rho that is no number.") from error


def _facts(row: Rescored) -> dict[str, Any]:
    trial = row.trial
    return {
        "rank": row.rank,
        "old_rank": row.old_rank,
        "number": trial.number,
        "reward": row.reward,
        "old_reward": trial.reward,
        "accuracy": trial.accuracy,
        "parameters": trial.parameters,
        "block_flops": trial.block_flops,
        "density": trial.density,
        "hash": trial.hash,
        "code": write(trial.code),
    }


def _table(rows: list[Rescored], terminal: Terminal) -> str:
    return table_with_codes(
        [
            "rank",
            "old rank",
            "trial",
            "reward",
            "old reward",
            judged_by([row.trial for row in rows]),
            "parameters",
            "block FLOPs",
            "density",
        ],
        [
            [
                str(row.rank),
                str(row.old_rank),
                str(row.trial.number),
                number(row.reward),
                number(row.trial.reward),
                judged(row.trial),
                in_units(row.trial.parameters),
                in_units(row.trial.block_flops),
                number(row.trial.density),
            ]
            for row in rows
        ],
        [write(row.trial.code) for row in rows],
        terminal,
    )
