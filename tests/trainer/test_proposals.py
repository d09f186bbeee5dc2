# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch

from trainer.estimators.regression import proposals
from trainer.estimators.regression.renders import Prediction, Renders


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def box():
    return proposals.Box(torch.tensor([1.0, -1.0]).double(), torch.tensor([0.4, 0.2]).double(), 4.5)


def square(x):
    """Return pictures ``(n, 3, 32, 32)`` with a bright square at parameters around (1, -1)."""
    axis = torch.arange(32.0)
    place = 16 + 5 * (x - torch.tensor([1.0, -1.0]))
    near = [torch.sigmoid(4 - (axis - p[:, None]).abs()) for p in place.T]
    levels = (255 * near[0][:, :, None] * near[1][:, None, :]).to(torch.uint8)
    return levels[:, None].expand(-1, 3, -1, -1)


def test_the_box_is_covered_evenly_and_never_left(box, generator):
    points = box.cover(64, generator)
    low, high = box.centre - 4.5 * box.unit, box.centre + 4.5 * box.unit
    for drawn in (points, box.draw(500, generator)):
        assert (drawn >= low).all()
        assert (drawn <= high).all()
    # A scrambled Sobol sequence has one point in each of 64 columns of either parameter.
    cells = ((points - low) / (high - low) * 64).floor()
    assert all(len(cells[:, k].unique()) == 64 for k in range(2))


def predicted(mean, std):
    mean = torch.as_tensor(mean).double()
    std = torch.as_tensor(std).double().expand_as(mean)
    return Prediction(
        mean, torch.diag_embed(std**2), mean.mean(0), mean.var(0) + 1, std.mean(0), mean[0]
    )


def test_a_search_follows_the_nearest_renders_while_predictions_are_uncertain(box, generator):
    known = box.cover(64, generator)
    renders = Renders(known, square(known))
    truth = torch.tensor([[1.5, -0.5]]).double() + 0.02 * torch.randn(
        20, 2, generator=generator, dtype=torch.float64
    )
    targets = Renders(truth, square(truth)).features
    uncertain = predicted(torch.zeros(20, 2) + 0.01 * torch.arange(20)[:, None], 1.0)
    near = proposals.search(200, uncertain, renders, targets, box, 1.0, generator)
    assert ((near - truth.mean(0)).abs().median(0).values < 0.4).all()


def test_a_search_follows_precise_predictions(box, generator):
    known = box.cover(64, generator)
    renders = Renders(known, square(known))
    mean = torch.tensor([1.5, -0.5]) + 0.05 * torch.randn(20, 2, generator=generator)
    precise = predicted(mean, 0.001)
    targets = Renders(known[:20], square(known[:20])).features
    near = proposals.search(400, precise, renders, targets, box, 1.0, generator)
    assert (near.mean(0) - mean.mean(0).double()).abs().max() < 0.03
    assert near.std(0).max() < 0.15


def test_targets_with_large_uncertainty_are_proposed_more_often(generator):
    mean = torch.cat((torch.zeros(19, 2), torch.full((1, 2), 50.0)))
    std = torch.cat((torch.full((19, 2), 0.01), torch.full((1, 2), 10.0)))
    drawn = proposals.around_targets(
        1000, predicted(mean, std), 1e-6 * torch.eye(2).double(), generator
    )
    assert (drawn[:, 0] > 20).float().mean() > 0.3


def test_proposals_are_made_around_the_nearest_renders(box, generator):
    known = box.cover(120, generator)
    renders = Renders(known, square(known))
    truth = torch.tensor([[1.2, -1.3]]).double()
    near = proposals.around_nearest(100, renders, Renders(truth, square(truth)).features, generator)
    assert (near.mean(0) - truth[0]).abs().max() < 0.3


def test_jitter_is_wider_in_weak_directions_only():
    std = torch.tensor([0.1, 0.2]).double()
    # Pictures depend on the sum of both in spreads, and on their difference by `size` only.
    for size, times in ((1e-3, 3.0), (0.05, 2.0), (0.5, 1.0)):
        direction = torch.tensor([1.0, -1.0]).double() / 2**0.5
        scaled = torch.eye(2).double() - torch.outer(direction, direction) * (1 - size**2)
        sensitivity = scaled / torch.outer(std, std)
        jitter = proposals.jitter_by_sensitivity(std, sensitivity, 0.7, 0.1, 3.0)
        scaled = jitter / torch.outer(std, std)
        assert (direction @ scaled @ direction).sqrt().item() == pytest.approx(0.7 * times)
        across = direction.flip(0).abs()
        assert (across @ scaled @ across).sqrt().item() == pytest.approx(0.7)
