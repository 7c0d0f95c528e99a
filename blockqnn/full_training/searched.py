"""The data of a block's search: whether they are still there, and still the same."""

from __future__ import annotations

import dataclasses

from blockqnn.data import datasets
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE
from blockqnn.full_training.settings import SearchedData, TrainSettings
from blockqnn.full_training.splits import FullInfo, describe_full
from blockqnn.invocation import quoted
from blockqnn.settings import DataSettings


def data_digest(source: DataSettings) -> str:
    """Names what a data set holds, wherever it lies."""
    return datasets.digest(source)


def described_data(settings: TrainSettings) -> FullInfo:
    """What is known of the data; raises like `describe_full`, and says where they are from."""
    try:
        return describe_full(settings.data)
    except UserError as error:
        searched = settings.searched
        if searched is None or searched.source.dataset != settings.data.source.dataset:
            raise
        unread = {DRY: "made its accuracies up", TABLE: "took its accuracies from a table"}
        never = unread.get(searched.evaluator)
        why = f" (it {never} and read no images)" if never else ""
        raise UserError(
            f"The run in {searched.run} names {searched.source.dataset} as its data{why}, which "
            f"cannot be used here: {error} --dataset names other data, or the place where these "
            "are now."
        ) from error


def refuse_changed(settings: TrainSettings) -> None:
    """Refuses data of a run that are no longer those that its search saw.

    Args:
        settings: what the verb is asked for.

    Raises:
        UserError: if they have changed under the same name.
    """
    searched = settings.searched
    if searched is None or not searched.digest or "dataset" in settings.named:
        return
    if searched.source.dataset != settings.data.source.dataset:
        return
    if now := _digest_as_searched(settings, searched):
        if now == searched.digest:
            return
        raise UserError(
            f"{searched.source.dataset} is not what the run in {searched.run} was made on: the "
            "data have changed since. To train on them as they are now, name them: "
            f"--dataset={quoted(searched.source.dataset)}"
        )


def same_as_searched(settings: TrainSettings) -> bool:
    """Whether the data are those that the search of the block saw, perhaps at another place."""
    searched = settings.searched
    if searched is None:
        return False
    if searched.digest and (now := _digest_as_searched(settings, searched)):
        return now == searched.digest
    return searched.source.dataset == settings.data.source.dataset


def _digest_as_searched(settings: TrainSettings, searched: SearchedData) -> str:
    """The digest of the data, with a validation split of their own only if the search used it."""
    own = searched.source.own_validation
    return data_digest(dataclasses.replace(settings.data.source, own_validation=own))
