"""What the reward of a run is, in words."""

from __future__ import annotations

from blockqnn.inspection.story import last_of, reward_settings
from blockqnn.listing import counted
from blockqnn.runs.run_record import RunRecord

_TABLE = "table"


def reward_in_words(run: RunRecord) -> list[str]:
    """Explains the reward with the coefficients of a run.

    Args:
        run: as it was read.

    Returns:
        Sentences.
    """
    if run.proxy:
        return [
            f"The reward, from which the agent learns, is the {run.proxy.replace('_', ' ')} of the "
            "untrained child: a score and no accuracy, which equation 7 does not correct. What "
            "cannot be scored earns nothing."
        ]
    found = reward_settings(run)
    accuracy = _accuracy(run)
    if found is None:
        return [
            f"The reward is what the agent learns from: {accuracy}, corrected by FLOPs and "
            "density. The run does not say by how much."
        ]
    terms = []
    if found.mu:
        terms.append(("mu * ln(FLOPs)", _taken(found.mu, "FLOPs in millions")))
    if found.rho:
        terms.append(("rho * ln(density)", _taken(found.rho, "density")))
    if not terms:
        return [
            f"The reward, from which the agent learns, is {accuracy}, without a correction: "
            "mu and rho of equation 7 are 0, so neither FLOPs nor density change it.",
        ]
    equation = "accuracy - " + " - ".join(name for name, _ in terms)
    corrections = " and ".join(words for _, words in terms)
    values = f"mu\u00a0=\u00a0{found.mu:g} and rho\u00a0=\u00a0{found.rho:g}"
    sentence = (
        f"The reward, from which the agent learns, is {accuracy}, corrected by what a block costs: "
        f"{equation} (equation 7 of the paper), with {values} in this run. In words: {corrections}."
    )
    notes = []
    if found.mu:
        own = any(trial.flops != trial.block_flops for trial in run.trials)
        what = "one block at the first stage" if own or not run.trials else "the whole child"
        notes.append(f"FLOPs are of {what}, for one image")
    if found.rho:
        notes.append("density is the block's edges over its nodes")
    noted = "; ".join(notes)
    return [
        sentence,
        f"{noted[0].upper()}{noted[1:]}. So a reward can be above 100, and what cannot be trained "
        "earns what guessing would.",
    ]


def _taken(weight: float, what: str) -> str:
    verb = "minus" if weight > 0 else "plus"
    return f"{verb} {abs(weight):g} times the natural logarithm of the {what}"


def _accuracy(run: RunRecord) -> str:
    if run.dry:
        return "a made-up accuracy in percent"
    if run.flags.get("evaluator") == _TABLE:
        column = run.flags.get("search_column")
        return "the accuracy in percent that the table has" + (
            f" in its column {column}" if column else ""
        )
    epochs, last = _number(run, "epochs", ""), _number(run, "reward_epochs", "1")
    trained = run.flags.get("evaluator", "train") == "train" and not (run.shared or run.mixed)
    after = best = ""
    if trained and epochs and last:
        if min(last, epochs) > 1:
            best = f" of {last_of(last, epochs)}"
        else:
            after = f" after {counted(epochs, 'epoch')}"
    if run.layout.of_words:
        power = run.flags.get("perplexity_power", "1")
        raised = "" if power == "1" else f"^{power}"
        earned = f"80 / perplexity{raised} on the validation text, times 100{after}"
        return f"{earned}, the best{best}" if best else earned
    return f"the {'best ' if best else ''}validation accuracy in percent{best or after}"


def _number(run: RunRecord, flag: str, usual: str) -> int:
    """The value of a flag that is a number above 0; 0 where the store has none."""
    text = str(run.flags.get(flag, usual))
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
