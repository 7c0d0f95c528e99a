"""Sizes that no child can have, or few."""

import pytest

from blockqnn.agents.random_search import RandomSearch
from blockqnn.environment import BlockEnvironment
from blockqnn.flags.choosing import DataFacts, MachineFacts, choose
from blockqnn.flags.search import parse
from blockqnn.networks.layout import Layout
from blockqnn.networks.plan_counts import parameters
from blockqnn.networks.sizing import Match, can_scale
from blockqnn.networks.spaces.registry import design_of, design_plan, published
from blockqnn.searching.refusals import warning_beforehand
from blockqnn.searching.size import size_of
from blockqnn.trial import with_filters

DRY = ("--preset=smoke", "--evaluator=dry", "--run_dir=run", "--max_blocks=2")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--evaluator=table", "--table=t.csv", "--search_column=a", "--match=parameters:9k"),
            "--evaluator=table were measured with filters of their own",
        ),
        (
            ("--match=parameters:9k", "--max_parameters=8000"),
            "--max_parameters=8_000 allows no more, so no child can have the 9,000 parameters of "
            "--match; raise it to --max_parameters=9_900",
        ),
        (("--match=flops:2M", "--max_flops=1_000_000"), "raise it to --max_flops=2_200_000"),
    ],
)
def test_contradictions_are_refused_before_anything_is_written(blockqnn, flags, words):
    status, out, err = blockqnn("search", *DRY, *flags)
    assert (status, out) == (2, "")
    assert words in err
    assert not (blockqnn.directory / "run").exists()


def test_filters_that_change_nothing():
    """Of a count that is the same whatever the filters are, none can be matched."""
    residual = design_of(published()["residual"])
    assert can_scale(residual, Layout(), Match("parameters", 10))
    # Filters of one stay one where they are halved, so that the size cannot fall.
    assert can_scale(residual, Layout(filters=(1,)), Match("flops", 10))


def test_a_space_whose_filters_change_nothing_is_refused(blockqnn, monkeypatch):
    monkeypatch.setattr("blockqnn.flags.contradictions.can_scale", lambda *_: False)
    status, _, err = blockqnn("search", *DRY, "--match=parameters:9k")
    assert status == 2
    assert "--match=parameters:9000 needs filters to scale" in err


def test_the_advice_is_a_size_that_most_can_have():
    """With filters 1,2 steps are so large that most blocks miss a small size."""
    flags = ["--preset=digits", "--evaluator=dry", "--filters=1,2", "--match=parameters:60"]
    settings, _ = parse(flags)
    words = warning_beforehand(settings)
    assert words.startswith("Of 300 random suggestions ")
    assert "cannot have 60 parameters by any filters; --match=parameters:" in words
    advised = words.split("--match=")[1].split()[0]
    settings, _ = parse([*flags[:-1], f"--match={advised}"])
    agent = RandomSearch(space(settings), settings.agent, seed=0)
    designs = [design_of(code) for code in agent.suggest(300)]
    missed = [d for d in designs if not d.emptiness and size_of(d, settings).reason]
    assert len(missed) < 0.4 * 300
    assert warning_beforehand(settings) is None


def space(settings):
    from blockqnn.networks.spaces.registry import space_named

    return space_named(settings.space, settings.max_layers)


def test_the_environment_scales_children_too():
    given = []

    class Evaluator:
        def evaluate(self, job, slot):
            from blockqnn.trial import Outcome

            given.append(job)
            return Outcome(accuracies=(50.0,))

    match = Match("parameters", 20_000)
    environment = BlockEnvironment(Evaluator(), max_layers=2, match=match)
    environment.reset()
    wanted = environment._space.check(((1, 1, 3, 0, 0), (2, 7, 0, 0, 0)))
    _, facts = environment._assess(wanted)
    plan = design_plan(design_of(wanted), with_filters(environment.layout, facts["filters"]))
    assert given[0].filters == facts["filters"]
    assert parameters(plan) == facts["parameters"]
    assert abs(parameters(plan) - 20_000) <= 2_000


@pytest.mark.parametrize("match", [Match("parameters", 30_000), Match("flops", 9_000_000)])
def test_what_is_chosen_for_data_allows_the_size(match):
    machine = MachineFacts(workers=2, memory=8 * 10**9)
    chosen = choose(DataFacts(16, 16, 3, 10, 5_000), machine, {"match": match})
    if match.figure == "flops":
        assert chosen.values["max_flops"] >= match.most
    assert chosen.values["filters"]


def test_a_function_has_no_size(tmp_path):
    import blockqnn
    from blockqnn.errors import UserError

    with pytest.raises(UserError, match="match goes with data"):
        blockqnn.search(lambda code: 50.0, tmp_path / "run", budget=2, match="parameters:9k")


def test_contests_scale_children(blockqnn):
    status, _, err = blockqnn(
        "compare",
        *("--evaluator=dry", "--preset=smoke", "--agents=random,evolution", "--budgets=4"),
        *("--seeds=1", "--match=parameters:9k"),
    )
    assert status == 0
    assert "scaled to 9,000 parameters" in err
    status, _, err = blockqnn("compare", "--table=t.csv", "--match=parameters:9k")
    assert status == 2
    assert "--match belongs to train or dry" in err
