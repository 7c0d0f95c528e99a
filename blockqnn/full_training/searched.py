"""The data of a block's search: whether they are still there, and still the same."""

from __future__ import annotations

from blockqnn.data import datasets
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import DRY, TABLE
from blockqnn.full_training.settings import TrainSettings
from blockqnn.full_training.splits import FullInfo, describe_full
from blockqnn.settings import DataSettings


def data_digest(source: DataSettings) -> str:
    """Names what a data set holds, wherever it lies; empty where nothing can tell that yet."""
    found: str = getattr(datasets, "digest", lambda _: "")(source)
    return found


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


def refuse_changed(settings: TrainSettings, digest: str) -> None:
    """Refuses data of a run that are no longer those that its search saw.

    Args:
        settings: what the verb is asked for.
        digest: of the data as they are now.

    Raises:
        UserError: if they have changed under the same name.
    """
    searched = settings.searched
    if (
        searched is not None
        and searched.digest
        and digest
        and searched.digest != digest
        and "dataset" not in settings.named
        and searched.source.dataset == settings.data.source.dataset
    ):
        raise UserError(
            f"{searched.source.dataset} is not what the run in {searched.run} was made on: the "
            "data have changed since. To train on them as they are now, name them: "
            f"--dataset={searched.source.dataset}"
        )


def same_as_searched(settings: TrainSettings, digest: str) -> bool:
    """Whether the data are those that the search of the block saw, perhaps at another place."""
    searched = settings.searched
    return searched is not None and (
        searched.source.dataset == settings.data.source.dataset or ("" != searched.digest == digest)
    )
