"""A trial's whole story in words."""

from __future__ import annotations

import textwrap

from blockqnn.inspection.story import Story, finished_at, last_of
from blockqnn.listing import duration, number
from blockqnn.measure import measure_of
from blockqnn.settings import RewardSettings
from blockqnn.terminal import Terminal, printable
from blockqnn.trial import Status, Trial

_WIDTH = 80
_VISIBLE = 0.005
"""Percent of reward that two decimals show."""
_MOST_NUMBERS = 12
"""Other trials of one block that are named; the rest are counted."""


def story_in_words(told: Story, terminal: Terminal) -> list[str]:
    """A trial's story for people.

    Args:
        told: the story.
        terminal: to print on.

    Returns:
        Lines.
    """
    trial = told.trial
    lines = [
        f"trial {trial.number}, iteration {trial.iteration}: {trial.status}"
        + (f" ({printable(trial.reason)})" if trial.reason else "")
        + (f", as trial {trial.source}" if trial.source else ""),
        f"  finished     {_when(told)}",
        f"  epsilon      {trial.epsilon:g} of the actions at random",
        f"  seed         {trial.seed}",
        f"  reward       {number(trial.reward)}{_ranked(told)}",
        *_terms(told),
        *_accuracies(trial, terminal),
        *_finals(told),
    ]
    if trial.status in (Status.COMPLETED, Status.FAILED):
        lines += [
            f"  seconds      {trial.waiting_seconds:.1f} waiting for the compiler, "
            f"{trial.train_seconds:.1f} training and evaluating,",
            f"               {trial.compile_seconds:.1f} compiling, perhaps while others "
            f"trained, {trial.saved:.1f} saved by the cache",
            f"  device       {printable(trial.device or '-')}, worker "
            f"{'-' if trial.worker is None else trial.worker}, "
            f"{trial.restarts} restart{'' if trial.restarts == 1 else 's'}",
        ]
    return [*lines, *_others(told)]


def _finals(told: Story) -> list[str]:
    if not told.finals:
        return []
    return textwrap.wrap(f"  finals       {told.finals}", _WIDTH, subsequent_indent=" " * 15)


def _when(told: Story) -> str:
    moment = finished_at(told.trial)
    if moment is None:
        return "-"
    text = moment.strftime("%Y-%m-%d %H:%M:%S %Z")
    if told.seconds_into_run is not None:
        text += f", {duration(told.seconds_into_run)} into the run by the clock"
    return text


def _ranked(told: Story) -> str:
    if told.rank is None:
        # Of a mixture's epochs with one cell, one has the rank.
        measured = told.trial.status in (Status.COMPLETED, Status.KNOWN)
        return "" if measured or told.trial.reward is None else ", what guessing earns"
    whose = f", as trial {told.trial.source}" if told.trial.status is Status.KNOWN else ""
    return f", rank {told.rank} of {told.ranked} trained blocks{whose}"


def _terms(told: Story) -> list[str]:
    terms, coefficients, trial = told.terms, told.coefficients, told.trial
    if terms is None or coefficients is None:
        return []
    lines = [
        f"    {_signed(terms.accuracy)}  {_earned(coefficients, len(trial.accuracies))}",
        f"    {_signed(terms.flops)}  -mu ln(FLOPs), mu {coefficients.mu:g}, "
        f"{trial.block_flops / 1e6:.4g} million FLOPs in one block",
        f"    {_signed(terms.density)}  -rho ln(density), rho {coefficients.rho:g}, "
        f"density {trial.density:.4g}",
    ]
    rest = (trial.reward or 0.0) - sum(terms)
    if abs(rest) >= _VISIBLE:
        lines.append(f"    {_signed(rest)}  an earlier version counted its density otherwise")
    return lines


def _earned(settings: RewardSettings, epochs: int) -> str:
    """What the first term of a reward is."""
    power = settings.perplexity_power
    several = min(settings.last_epochs, epochs) > 1
    best = f"best of {last_of(settings.last_epochs, epochs)}" if several else ""
    if not power:
        return f"accuracy, {best}" if several else "accuracy after the last epoch"
    earned = f"80 / perplexity{f'^{power}' if power > 1 else ''}, times 100"
    return f"{earned}, {best}" if several else earned


def _accuracies(trial: Trial, terminal: Terminal) -> list[str]:
    if not trial.accuracies:
        return ["  accuracy     -"]
    measure = measure_of(trial.code)
    bars = terminal.sparkline(trial.accuracies, 0.0, 100.0)
    lines = [f"  {measure.name:12} {measure.in_words(trial.accuracy)}  {bars}".rstrip()]
    epochs = " ".join(measure.figure(accuracy, 1) for accuracy in trial.accuracies)
    return lines + textwrap.wrap(
        f"by epoch {epochs}", _WIDTH, initial_indent=" " * 15, subsequent_indent=" " * 24
    )


def _others(told: Story) -> list[str]:
    others = told.others
    if not others:
        return ["  same block   no other trial suggested it"]
    phrases = []
    for status in dict.fromkeys(t.status for t in others):
        numbers = [t.number for t in others if t.status is status]
        named = ", ".join(map(str, numbers[:_MOST_NUMBERS]))
        if len(numbers) > _MOST_NUMBERS:
            named += f" and {len(numbers) - _MOST_NUMBERS} more"
        phrases.append(f"trial{'s' if len(numbers) > 1 else ''} {named} ({status})")
    text = f"  same block   also suggested as {', '.join(phrases)}"
    return textwrap.wrap(text, _WIDTH, subsequent_indent=" " * 15)


def _signed(term: float) -> str:
    # Adding 0.0 makes a plus of the sign of minus zero.
    return f"{round(term, 2) + 0.0:+9.2f}"
