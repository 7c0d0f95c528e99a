"""What finals are going to train, and whether a run's earlier ones forbid it."""

from __future__ import annotations

from collections.abc import Sequence

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TABLE
from blockqnn.invocation import command
from blockqnn.listing import counted
from blockqnn.runs.finals import Finals, FinalsPlan, entrants
from blockqnn.runs.rounds import Round, short_rounds
from blockqnn.runs.run_directory import flag_then
from blockqnn.runs.run_record import RunRecord, read_run, refuse_function
from blockqnn.runs.spending import none_trained
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.settings import RunSettings

_TIMES = (3, 9)
"""Epochs of the two usual rounds, in those of the search."""

_MOST, _SHARE = 40, 10
"""Usual finals begin with one block in ten, and with no more than so many."""


def usual_rounds(trained: int, epochs: int, seeds: int = 0) -> tuple[Round, ...]:
    """The rounds of finals that nobody has named.

    Args:
        trained: blocks that the search has trained.
        epochs: of the search.
        seeds: trainings of each block; 0 for one, and two in the last round.

    Returns:
        Two rounds, of which each has three times the epochs of what was before; about as many
        epochs in all as the search had.
    """
    first = max(4, min(_MOST, trained // _SHARE))
    last = max(2, first // 3)
    return (
        Round(first, _TIMES[0] * epochs, seeds or 1),
        Round(last, _TIMES[1] * epochs, seeds or 2),
    )


def refuse_untrainable(run: RunRecord) -> None:
    """Refuses a run whose blocks cannot be trained for longer.

    Args:
        run: whose best blocks are wanted.

    Raises:
        UserError: saying why.
    """
    refuse_function(run)
    if run.flags.get("evaluator") == TABLE:
        raise UserError(
            f"The accuracies of the run in {run.path} come from a table, so that there is nothing "
            "to train for longer."
        )
    if not run.by_reward:
        raise UserError(f"The run in {run.path} {none_trained(run.trials)}.")


def make_plan(
    run: RunRecord, rounds: Sequence[Round], train_examples: int, recipe: Sequence[str] = ()
) -> FinalsPlan:
    """What is trained of a run as it is now.

    Args:
        run: as it was read.
        rounds: in order.
        train_examples: most images to train on; 0 for all.
        recipe: flags in which trainings differ from those of the search.

    Returns:
        The plan.
    """
    ranked = run.by_reward
    found = entrants([(t.number, t.hash) for t in ranked], rounds[0].blocks)
    return FinalsPlan(tuple(rounds), found, len(ranked), train_examples, tuple(recipe))


def begin(store: Store, run: RunRecord, plan: FinalsPlan, again: bool) -> list[str]:
    """Makes a plan that of the run, which keeps what earlier finals have trained of it.

    Args:
        store: of the run.
        run: as it was read.
        plan: what is going to be trained.
        again: drop finals of another plan, or that have ended.

    Returns:
        What is to be said of it, in sentences.

    Raises:
        UserError: if the run has finals of another plan.
    """
    before = run.finals
    if before is None:
        store.finals.begin(plan)
        return []
    same = before.plan.same_as(plan)
    if not same and not again:
        raise _other_plan(run, before.plan, plan)
    if again and (before.ended or not same):
        store.finals.begin(plan, anew=True)
        dropped = counted(len(before.trainings), "training")
        return [f"The earlier finals ({dropped}) were dropped."]
    if before.plan == plan:
        return []
    store.finals.begin(plan)
    more = plan.trained - before.plan.trained
    sentence = (
        f"The earlier finals were of {counted(before.plan.trained, 'block')}; {more:,} more were "
        f"trained since, so the best of all {plan.trained:,} enter."
    )
    kept = Finals(plan, before.trainings, 0.0).kept
    return [f"{sentence} {counted(kept, 'training')} of round 1 need not be repeated."]


def refuse_other_plan(run: RunSettings, rounds: Sequence[Round], train_examples: int) -> None:
    """Refuses, before a search goes on, finals that its run could not have at the end.

    Args:
        run: of the search.
        rounds: of the finals that shall follow.
        train_examples: of the search.

    Raises:
        UserError: if the run has finals of another plan.
    """
    if not (run.run_dir / FILE_NAME).is_file():
        return
    with_store = Store.open_read_only(run.run_dir / FILE_NAME)
    begun = "layout" in with_store.facts()
    with_store.close()
    found = read_run(run.run_dir) if begun else None
    if found is None or found.finals is None:
        return
    recipe = run.finals_recipe.flags if run.finals_recipe else ()
    plan = make_plan(found, rounds, train_examples, recipe)
    if not found.finals.plan.same_as(plan):
        raise _other_plan_of_search(found, found.finals.plan, plan)


def _other_plan(run: RunRecord, old: FinalsPlan, new: FinalsPlan) -> UserError:
    def asked(one: FinalsPlan, other: FinalsPlan) -> str:
        recipe = " ".join(one.recipe) or "by the search's recipe"
        return _as_flags("--rounds", one, other, recipe)

    return UserError(
        f"The run in {run.path} has finals with {asked(old, new)}; given is {asked(new, old)}. "
        f"{command('finals', run.path)} goes on with them, and --again drops them and begins anew."
    )


def _other_plan_of_search(run: RunRecord, old: FinalsPlan, new: FinalsPlan) -> UserError:
    def asked(one: FinalsPlan, other: FinalsPlan) -> str:
        recipe = ",".join(word.removeprefix("--") for word in one.recipe)
        return _as_flags("--finals", one, other, f"--finals_recipe={recipe or 'search'}")

    # What the new ones have of the search's recipe has to be named, or the old would stay.
    named = {word.partition("=")[0] for word in new.recipe}
    names = [word.partition("=")[0].removeprefix("--") for word in old.recipe]
    back = [f"--{n}={flag_then(run.flags, n, '')}" for n in names if f"--{n}" not in named]
    again = command("finals", run.path, "--again", f"--rounds={short_rounds(new.rounds)}")
    if old.train_examples != new.train_examples:
        back.append(f"--train_examples={new.train_examples}")
    kept = asked(old, new)
    return UserError(
        f"The run in {run.path} has finals with {kept}; given is {asked(new, old)}. {kept} goes on "
        f"with them, --finals=off searches without, and {' '.join([again, *new.recipe, *back])} "
        "drops them and trains those that were given."
    )


def _as_flags(flag: str, plan: FinalsPlan, other: FinalsPlan, recipe: str) -> str:
    """How a plan is asked for: its rounds, and what else differs from another's."""
    words = [f"{flag}={short_rounds(plan.rounds)}"]
    if plan.train_examples != other.train_examples:
        words.append(f"--train_examples={plan.train_examples}")
    if plan.recipe != other.recipe:
        words.append(recipe)
    return " ".join(words)
