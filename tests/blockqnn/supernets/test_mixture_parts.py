"""Parts of a mixture: what they take over from their parent, and how far its operations agree."""

import numpy as np
import pytest

from blockqnn.mixture_settings import MixtureSettings
from blockqnn.networks.shares import shares_of
from blockqnn.networks.spaces.mixture_parts import part_plan, part_rows
from blockqnn.shared_work import MixtureEpoch
from blockqnn.supernets.alpha import begun, decided, first_alpha, of_part, of_whole
from blockqnn.supernets.bank import Bank, compiled_for
from blockqnn.supernets.mixture_chain import MixtureChain
from blockqnn.supernets.mixture_matching import keys_inside, row_distances
from blockqnn.supernets.mixture_program import MixtureProgram
from tests.blockqnn.supernets.test_mixture import (
    BATCH,
    LAYOUT,
    RATE,
    SPACE,
    batches,
    made,
    part,
    plain_convolutions,
    supernet,
)

__all__ = ["part", "plain_convolutions"]
ROW = "cell/1<-0"
ROWS = SPACE.mixture_rows()


def test_a_part_has_the_numbers_of_its_parent_and_no_others():
    left = {ROW: ("skip_connect", "nor_conv_3x3")}
    alpha = {row.name: np.arange(5, dtype=np.float32) + place for place, row in enumerate(ROWS)}
    rows = part_rows(ROWS, left)
    found = of_part(alpha, ROWS, rows, left)
    # none, skip and 3x3 are the numbers 0, 1 and 3 of the row, and none has no share.
    assert found[ROW][1:].tolist() == [1.0, 3.0]
    assert shares_of(found)[ROW] == [0.0, *shares_of({ROW: [1.0, 3.0]})[ROW]]
    assert found["cell/2<-0"].tolist() == alpha["cell/2<-0"].tolist()
    whole = shares_of(of_whole(found, ROWS, rows))[ROW]
    assert whole == pytest.approx([0, 1 / (1 + np.e**2), 0, 1 / (1 + np.e**-2), 0])
    # What a part of the part, split along another edge, takes over is the part's.
    deeper = {**left, "cell/3<-2": ("none",)}
    again = of_part(found, ROWS, part_rows(ROWS, deeper), deeper)
    assert again[ROW].tolist() == found[ROW].tolist()
    assert shares_of(again)["cell/3<-2"] == [1.0, 0.0]
    fresh = begun(found)
    assert fresh.steps == 0 and not any(row.any() for row in fresh.first.values())


@pytest.mark.parametrize("operation", ["none", "nor_conv_3x3"])
def test_before_any_step_a_part_computes_what_its_parent_does(part, operation):
    execution, bank, alpha = made(MixtureChain, part)
    order, judged = batches(2)
    _, alpha = execution.train(part, order, judged, RATE, alpha, trains_alpha=True)
    execution.put_back()
    forced = decided(ROWS, alpha.rows, {ROW: operation})
    wanted = execution.gradients(forced, order[0])

    left = {ROW: (operation,)}
    rows = part_rows(ROWS, left)
    own = MixtureChain(
        part_plan(SPACE, LAYOUT, 1, left),
        bank.copy().without_moments(),
        MixtureSettings(),
        BATCH,
        5.0,
        part,
    )
    begins = of_part(alpha.rows, ROWS, rows, left)
    found = own.gradients(begins, order[0])
    assert own.accuracy(begins, part) == execution.accuracy(forced, part)
    # What is left has the parent's gradients, the split edge's own among them.
    assert set(found) < set(wanted)
    inside = {key for key in found if key.rpartition(" ")[0] in keys_inside(own.plan, ROW)}
    assert bool(inside) == (operation == "nor_conv_3x3")
    size = max(np.abs(own).max() for own in wanted.values())
    for key, gradient in found.items():
        # To rounding: what several layers read sums up gradients in another order.
        np.testing.assert_allclose(gradient, wanted[key], rtol=0, atol=1e-6 * size, err_msg=key)

    # Steps of the part change the weights of the split edge and not those of the parent.
    before = execution.gradients(forced, order[0])
    own.train(part, order, judged, RATE, begun(begins), trains_alpha=True)
    for key, gradient in execution.gradients(forced, order[0]).items():
        assert np.array_equal(gradient, before[key])
    after = own.gradients(begins, order[0])
    assert all(not np.array_equal(after[key], found[key]) for key in inside)


def test_distances_are_of_what_operations_share_and_both_executions_agree(part):
    # Of a part, so that both executions compute one.
    left, row = {ROW: ("nor_conv_1x1", "nor_conv_3x3")}, "cell/3<-0"
    operations, rows = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3"), part_rows(ROWS, left)
    work = MixtureEpoch("", "", 0, 1, compared={ROW: left[ROW], row: operations})
    plan, found = part_plan(SPACE, LAYOUT, 1, left), []
    for kind in (MixtureChain, MixtureProgram):
        bank = Bank(compiled_for(supernet(MixtureSettings())), 3)
        execution = kind(plan, bank, MixtureSettings(), BATCH, 5.0, part)
        alpha, order = first_alpha(rows, 0.5, 3).rows, batches(2)[0]
        found.append(row_distances(execution, rows, alpha, order, work))
        if kind is MixtureChain:
            wanted = mean_distance(execution, rows, alpha, order, row, operations[1:])
    assert found[0][row][1, 2] == pytest.approx(wanted, rel=1e-6)
    for name, matrix in found[0].items():
        assert matrix.shape == (len(work.compared[name]),) * 2
        assert np.array_equal(matrix, matrix.T) and not matrix.diagonal().any()
        assert 0 < matrix[0, 1] < 2
        np.testing.assert_allclose(matrix, found[1][name], atol=1e-3)


def mean_distance(execution, rows, alpha, order, row, operations):
    """The mean over batches of 1 - cos, from the gradients in one axis."""
    inside, cosines = keys_inside(execution.plan, row), []
    for indices in order:
        one, other = (
            np.concatenate(
                [own[key] for key in sorted(own) if key.rpartition(" ")[0] not in inside]
            )
            for own in (
                execution.gradients(decided(rows, alpha, {row: operation}), indices)
                for operation in operations
            )
        )
        cosines.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    return 1 - np.mean(cosines)
