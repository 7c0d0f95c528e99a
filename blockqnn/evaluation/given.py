"""An evaluator as a user gives it in Python: a name, a function, or an object."""

from __future__ import annotations

from collections.abc import Callable

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TRAIN, Evaluator, make_evaluator
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import Code
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.trial import Job, Outcome

AnyEvaluator = str | Evaluator | Callable[[Code], float]


def evaluation(
    evaluator: AnyEvaluator, data: DataSettings, recipe: Recipe, layout: Layout
) -> Callable[[Job], Outcome]:
    """One way to evaluate from the several that may be given.

    Args:
        evaluator: `dry`, `train`, a function from a code to its accuracy in
            percent, or an object as `make_evaluator` returns it.
        data: the images, where children are trained.
        recipe: how they are trained.
        layout: of the child networks.

    Returns:
        From a job to its outcome.

    Raises:
        UserError: if the evaluator is none of these, or the data cannot be read.
    """
    if isinstance(evaluator, str):
        if evaluator not in (DRY, TRAIN):
            raise UserError(f"evaluator is {evaluator!r}; allowed: {DRY!r}, {TRAIN!r}.")
        evaluator = make_evaluator(evaluator, data, recipe, layout, WorkerSettings())
    evaluate = getattr(evaluator, "evaluate", None)
    if evaluate is not None:
        return lambda job: evaluate(job, slot=0)
    if not callable(evaluator):
        raise UserError(
            f"An evaluator is {DRY!r}, {TRAIN!r}, a function from a code to its accuracy in "
            f"percent, or has a method evaluate; given {evaluator!r}."
        )
    function = evaluator
    return lambda job: Outcome(accuracies=(float(function(job.code)),))
