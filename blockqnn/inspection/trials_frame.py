"""The trials of a run as a pandas data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from blockqnn.networks.spaces.registry import write
from blockqnn.trial import Status, Trial

STATUSES = [
    status.value for status in (Status.COMPLETED, Status.KNOWN, Status.INFEASIBLE, Status.FAILED)
]


_NOWHERE: Mapping[int, tuple[int, float]] = MappingProxyType({})


def trials_frame(
    trials: Sequence[Trial],
    dry: bool = False,
    places: Mapping[int, tuple[int, float]] = _NOWHERE,
) -> pd.DataFrame:
    """Makes a data frame, of the same names as `trials --format=csv`.

    Args:
        trials: in order of number.
        dry: whether their accuracies were made up.
        places: by a trial's number its rank and its accuracy in finals.

    Returns:
        A row for each trial, indexed by its `number`, with the columns

        - `iteration`, `epsilon`: when it was suggested, with which share of
          random actions;
        - `status`: categorical, `trained`, `known`, `infeasible` or `failed`;
        - `accuracy`: validation accuracy after the last epoch in percent, NaN
          where nothing was trained; `accuracies`: a tuple with that of each epoch;
        - `reward`: what the agent learned from, in percent, NaN where nothing was
          trained;
        - `final_rank`: in finals that have ended, from 1; `final_accuracy`: mean
          validation accuracy in percent in the last round that it was in, NaN
          where it was in none;
        - `code`: the block as text, which `spaces.registry.parse` reads; `hash`:
          names its canonical form;
        - `density`: edges over nodes; `parameters`: trained numbers; `flops`:
          2 x multiply-accumulate of the child, one image, forward;
          `block_flops`: of one block at the first stage; `depth`: convolutions
          on the longest path;
        - `seconds`: that it had a device to itself, NaN where it was infeasible,
          the sum of `waiting_seconds` for its programs and `train_seconds`;
          `compile_seconds`: perhaps while others trained; `saved_seconds`: of
          compiling, by the cache;
        - `restarts`: of its training; `seed`: of its training;
        - `source`: the trial that a known one repeats; `reason`: why it is
          infeasible or failed; `device`, `worker`: what trained it;
        - `finished`: when it ended, UTC; `filters`: of its stages, such as `27,54,108`,
          none where they are the run's; `dry`: whether its accuracy was made up.

        Counts are int64, or Python's integers where one exceeds 64 bits.
    """
    columns: dict[str, Any] = {
        "iteration": _integers(t.iteration for t in trials),
        "epsilon": _floats(t.epsilon for t in trials),
        "status": pd.Categorical([t.status.value for t in trials], categories=STATUSES),
        "accuracy": _floats(t.accuracy for t in trials),
        "accuracies": _objects([t.accuracies for t in trials]),
        "reward": _floats(t.measured_reward for t in trials),
        "final_rank": pd.array([places.get(t.number, (None,))[0] for t in trials], dtype="Int64"),
        "final_accuracy": _floats(places.get(t.number, (0, None))[1] for t in trials),
        "code": _texts(write(t.code) for t in trials),
        "hash": _texts(t.hash for t in trials),
        "density": _floats(t.density for t in trials),
        "parameters": _integers(t.parameters for t in trials),
        "flops": _integers(t.flops for t in trials),
        "block_flops": _integers(t.block_flops for t in trials),
        "depth": _integers(t.depth for t in trials),
        "seconds": _floats(None if t.status is Status.INFEASIBLE else t.seconds for t in trials),
        "waiting_seconds": _floats(t.waiting_seconds for t in trials),
        "train_seconds": _floats(t.train_seconds for t in trials),
        "compile_seconds": _floats(t.compile_seconds for t in trials),
        "saved_seconds": _floats(t.saved for t in trials),
        "restarts": _integers(t.restarts for t in trials),
        "seed": _integers(t.seed for t in trials),
        "source": pd.array([t.source for t in trials], dtype="Int64"),
        "reason": _texts(t.reason for t in trials),
        "device": _texts(t.device for t in trials),
        "worker": pd.array([t.worker for t in trials], dtype="Int64"),
        "finished": pd.to_datetime(_floats(t.finished for t in trials), unit="s", utc=True),
        "filters": _texts(t.filters_text for t in trials),
        "dry": np.full(len(trials), dry),
    }
    index = pd.Index(np.array([t.number for t in trials], np.int64), name="number")
    return pd.DataFrame(columns, index=index)


def _floats(values: Iterable[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _integers(values: Iterable[int]) -> np.ndarray:
    listed = list(values)
    if all(-(2**63) <= value < 2**63 for value in listed):
        return np.array(listed, np.int64)
    return _objects(listed)


def _objects(values: Sequence[Any]) -> np.ndarray:
    # np.array would make a table of tuples of one length.
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _texts(values: Iterable[str | None]) -> Any:
    return pd.array(list(values), dtype="string")
