"""What the store of a run says, read without disturbing whoever writes to it."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import Any

from blockqnn.errors import UserError
from blockqnn.listing import DRY_NOTICE, proxy_notice
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.networks.spaces.registry import DEFAULT, space_named
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.trial import Status, Trial


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """A run as it is read.

    Attributes:
        path: its directory.
        trials: in order of number.
        layout: of its children.
        dry: whether its accuracies were made up.
        flags: that say what the search is, by name, as one would type them.
        iterations: how many the agent has learned from.
        data: what the run wrote down of its images, see `blockqnn.data.recorded`;
            None of a run of an earlier version.
        table: the same of its table of accuracies; None where it has none.
    """

    path: pathlib.Path
    trials: list[Trial]
    layout: Layout
    dry: bool
    flags: dict[str, str]
    iterations: int
    data: dict[str, Any] | None = None
    table: dict[str, Any] | None = None

    @property
    def proxy(self) -> str:
        """The score that its rewards are; empty where they come from accuracies."""
        return self.flags.get("proxy", "") if self.flags.get("evaluator") == "proxy" else ""

    @property
    def notice(self) -> str:
        """What whoever reads its figures must know; empty where children were trained."""
        if self.proxy:
            return proxy_notice(self.proxy)
        return DRY_NOTICE if self.dry else ""

    @property
    def data_digest(self) -> str:
        """What tells whether data are those of the run; empty where it is not known."""
        return str((self.data or {}).get("digest", ""))

    @property
    def space(self) -> SearchSpace:
        """The search space, by the name in the store; the limit of its layers is the run's.

        Raises:
            CodeError, ValueError: if there is no such space, or the limit is no number.
        """
        most = self.flags.get("max_layers")
        return space_named(self.flags.get("space", DEFAULT), None if most is None else int(most))

    def best(self, count: int) -> list[Trial]:
        """The trained trials of highest reward, best first, earlier ones before equals."""
        trained = [t for t in self.trials if t.status is Status.COMPLETED]
        return sorted(trained, key=lambda t: (-(t.reward or 0.0), t.number))[:count]


def read_run(path: pathlib.Path) -> RunRecord:
    """Reads a run, whether or not it is still going on.

    Args:
        path: its directory.

    Returns:
        The run.

    Raises:
        UserError: if there is none.
    """
    with contextlib.closing(Store.open_read_only(path / FILE_NAME)) as store:
        facts = store.facts()
        trials = list(store.trials())
    if "layout" not in facts:
        raise UserError(f"The run in {path} has not begun yet.")
    try:
        return RunRecord(
            path,
            trials,
            Layout(**facts["layout"] | {"filters": tuple(facts["layout"]["filters"])}),
            bool(facts.get("dry")),
            dict(facts.get("flags", {})),
            int(facts.get("iterations", 0)),
            facts.get("data"),
            facts.get("table"),
        )
    # JSON may hold numbers that are infinite.
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise UserError(f"The facts in the store of {path} cannot be read: {error}.") from error


def read_agent_state(path: pathlib.Path) -> dict[str, Any]:
    """The agent's state at the end of the last iteration that ended.

    Args:
        path: the run's directory.

    Returns:
        What `Agent.get_state` returned then; empty before the first end.

    Raises:
        UserError: if there is no run.
    """
    with contextlib.closing(Store.open_read_only(path / FILE_NAME)) as store:
        return store.agent_state()


def refuse_scores(run: RunRecord, verb: str) -> None:
    """Refuses a run of untrained children where accuracies are needed.

    Args:
        run: as it was read.
        verb: that needs them.

    Raises:
        UserError: if its rewards are scores.
    """
    if run.proxy:
        raise UserError(
            f"{verb} needs accuracies, and the rewards of the run in {run.path} are scores of "
            "untrained children."
        )
