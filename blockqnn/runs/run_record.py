"""What the store of a run says, read without disturbing whoever writes to it."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from blockqnn.agents.growing import Growth
from blockqnn.errors import UserError
from blockqnn.listing import DRY_NOTICE, MIXTURE_NOTICE, SHARED_NOTICE, proxy_notice
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.networks.spaces.registry import DEFAULT, space_named
from blockqnn.reward import guessing_accuracy
from blockqnn.runs.finals import FINALS, Finals, FinalTraining, plan_from_fact, stale_words
from blockqnn.runs.mixtures import CHOSEN, EPOCHS, SPLITS
from blockqnn.runs.store import FILE_NAME, Store
from blockqnn.runs.supernet_record import SupernetRecord, supernet_from_facts
from blockqnn.settings import PYTHON
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
        finals: in which its best blocks were trained for longer; None where none began.
        supernet: how that was trained; None where designs share no weights.
        epochs: of its mixture, what each has found.
        chosen: trial whose design a mixture came to in the end; 0 where there is none.
        results: of a mixture that was split the last trial of each of its last parts, the best
            mixture first; else none.
        cuts: where gradients say how a mixture is split, by the name of what was split the `edge`
            and its `groups`.
    """

    path: pathlib.Path
    trials: list[Trial]
    layout: Layout
    dry: bool
    flags: dict[str, str]
    iterations: int
    data: dict[str, Any] | None = None
    table: dict[str, Any] | None = None
    finals: Finals | None = None
    supernet: SupernetRecord | None = None
    epochs: tuple[dict[str, Any], ...] = ()
    chosen: int = 0
    results: tuple[int, ...] = ()
    cuts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def proxy(self) -> str:
        """The score that its rewards are; empty where they come from accuracies."""
        return self.flags.get("proxy", "") if self.flags.get("evaluator") == "proxy" else ""

    @property
    def shared(self) -> bool:
        """Whether its accuracies are scores by weights that all designs share."""
        return self.flags.get("weights") == "shared"

    @property
    def mixed(self) -> bool:
        """Whether its accuracies are those of cells with the weights of a mixture."""
        return self.flags.get("weights") == "mixture"

    @property
    def notice(self) -> str:
        """What whoever reads its figures must know; empty where children were trained."""
        if self.proxy:
            return proxy_notice(self.proxy)
        if self.shared:
            return SHARED_NOTICE
        if self.mixed:
            return MIXTURE_NOTICE
        return DRY_NOTICE if self.dry else ""

    @property
    def data_digest(self) -> str:
        """What tells whether data are those of the run; empty where it is not known."""
        return str((self.data or {}).get("digest", ""))

    @property
    def space(self) -> SearchSpace:
        """The search space as it is now: where it grows, with the layers that it has reached.

        Raises:
            CodeError, ValueError: if there is no such space, or the limit is no number.
        """
        found = self.whole_space
        if self.growth is None:
            return found
        return found.limited(self.growth.layers(len(self.trials), found.layers))

    @property
    def growth(self) -> Growth | None:
        """How the networks of the search grow; None where they do not."""
        return Growth.read(self.flags.get("depth_growth", ""))

    @property
    def whole_space(self) -> SearchSpace:
        """The search space, by the name in the store; the limit of its layers is the run's."""
        most = self.flags.get("max_layers")
        return space_named(self.flags.get("space", DEFAULT), None if most is None else int(most))

    @property
    def by_reward(self) -> list[Trial]:
        """The trained trials, highest reward first, earlier ones before equals.

        Of a mixture, the one that it came to is first, then come those that its other parts came
        to, and a design is what it was last.
        """
        trained = [t for t in self.trials if t.status is Status.COMPLETED]
        if self.mixed:
            last = {t.hash: t for t in trained}
            first = dict.fromkeys((self.chosen, *self.results))
            places = {number: place for place, number in enumerate(first)}
            # The first of several that came to one design stands for it.
            for trial in sorted(trained, key=lambda t: -places.get(t.number, 0)):
                if trial.number in places:
                    last[trial.hash] = trial
            return sorted(
                last.values(),
                key=lambda t: (places.get(t.number, len(places)), -(t.reward or 0.0), t.number),
            )
        return sorted(trained, key=lambda t: (-(t.reward or 0.0), t.number))

    def best(self, count: int) -> list[Trial]:
        """The best trained trials: by finals that have ended, the rest by reward.

        Args:
            count: how many at most.

        Returns:
            Trials, best first.
        """
        places = {number: place for place, number in enumerate(self.final_ranking)}
        # Who was in no finals keeps the order by reward.
        return sorted(self.by_reward, key=lambda t: places.get(t.number, len(places)))[:count]

    @property
    def final_ranking(self) -> list[int]:
        """Numbers of the trials that were in finals, winner first; empty until these have ended."""
        return self.finals.ranking if self.finals else []

    @property
    def final_places(self) -> dict[int, tuple[int, float]]:
        """By a trial's number its rank in finals that have ended, and its mean accuracy there."""
        found = {}
        for rank, number in enumerate(self.final_ranking, start=1):
            last = self.finals.last_result(number) if self.finals else None
            if last is not None:
                found[number] = (rank, last.mean)
        return found

    @property
    def stale_finals(self) -> str:
        """A sentence where blocks were trained after the finals; empty where there is none."""
        return stale_words(self.finals, len(self.by_reward))


def refuse_function(run: RunRecord) -> None:
    """Refuses a run whose blocks were judged by a function of the user's.

    Args:
        run: whose blocks shall be trained.

    Raises:
        UserError: saying so.
    """
    if run.flags.get("evaluator") == PYTHON:
        raise UserError(
            f"The accuracies of the run in {run.path} come from a function, so that there is "
            "nothing to train for longer."
        )


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
        trainings = store.finals.trainings() if FINALS in facts else []
    if "layout" not in facts:
        raise UserError(f"The run in {path} has not begun yet.")
    try:
        layout = Layout(**facts["layout"] | {"filters": tuple(facts["layout"]["filters"])})
        return RunRecord(
            path,
            trials,
            layout,
            bool(facts.get("dry")),
            dict(facts.get("flags", {})),
            int(facts.get("iterations", 0)),
            facts.get("data"),
            facts.get("table"),
            finals_from_facts(facts, trials, trainings, layout),
            supernet_from_facts(facts),
            tuple(facts.get(EPOCHS, ())),
            int((facts.get(CHOSEN) or {}).get("trial", 0)),
            tuple(int(own) for own in (facts.get(CHOSEN) or {}).get("results", ())),
            dict(facts.get(SPLITS, {})),
        )
    # JSON may hold numbers that are infinite.
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise UserError(f"The facts in the store of {path} cannot be read: {error}.") from error


def finals_from_facts(
    facts: Mapping[str, Any], trials: list[Trial], trainings: list[FinalTraining], layout: Layout
) -> Finals | None:
    """The finals of a run, from what its store says.

    Args:
        facts: of the store.
        trials: of the run.
        trainings: of its finals that have ended.
        layout: of its children.

    Returns:
        The finals; None where none began.

    Raises:
        TypeError, KeyError, ValueError: if the facts contradict the trials, or are none.
    """
    if FINALS not in facts:
        return None
    plan = plan_from_fact(facts[FINALS])
    trained = {trial.number for trial in trials if trial.status is Status.COMPLETED}
    if not trained.issuperset(plan.trials):
        raise ValueError("the finals have blocks that were not trained")
    return Finals(plan, trainings, guessing_accuracy(layout.classes))


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
