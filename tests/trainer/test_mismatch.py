# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch

from trainer.estimators.regression.mismatch import AFTER, ROUNDS, Mismatch
from trainer.estimators.regression.options import RegressionOptions
from trainer.estimators.regression.pixel_regression import distances
from trainer.estimators.regression.renders import Prediction, Renders

SENSITIVITY = torch.eye(2).double() / 0.1**2
"""A picture changes by as much as targets differ when a parameter does by the targets' spread."""
SURE, UNSURE = 0.02, 1.0
"""Standard deviations of what is believed, a fifth and ten times that spread."""


def discs(x):
    """Pictures ``(n, 3, 32, 32)`` of soft discs, placed by ``(n, 2)`` parameters."""
    axis = torch.arange(32.0)
    row, column = (axis - 16 - 8 * part[:, None] for part in x.float().T)
    levels = torch.sigmoid(4 - torch.hypot(row[:, :, None], column[:, None, :]))
    return (255 * levels).to(torch.uint8)[:, None].expand(-1, 3, -1, -1)


def believed(std):
    """Return a prediction for one target with that standard deviation."""
    mean, variance = torch.zeros(1, 2).double(), torch.full((2,), std**2).double()
    return Prediction(
        mean, torch.diag(variance)[None], mean[0], variance, variance.sqrt(), mean[0] + 1.0
    )


@pytest.fixture
def gathered():
    """Few renders from all over the box, those of a search that gathers in a wrong place, and the
    boxes of targets in another place."""
    generator = torch.Generator().manual_seed(0)
    cover = 2 * torch.rand(14, 2, generator=generator).double() - 1
    truth = torch.tensor([0.8, 0.8]) + 0.1 * torch.randn(30, 2, generator=generator)
    # None is near the targets, as in a box of more parameters.
    away = (cover - 0.8).norm(dim=1) > 0.9
    renders = Renders(cover[away], discs(cover[away]))
    targets = Renders(truth, discs(truth)).boxes
    best = renders.x[torch.cdist(renders.boxes, targets).mean(1).argmin()]
    near = best - 0.02 * torch.rand(100 - len(renders), 2, generator=generator).double()
    return renders, near, targets


def watched(gathered, std=SURE, explained=0.95, rounds=ROUNDS):
    """Return what is noticed after each of the rounds that follow the first."""
    start, near, targets = gathered
    renders = Renders(start.x, start.pictures)
    mismatch = Mismatch(targets, RegressionOptions())
    mismatch.watch(renders, believed(std), SENSITIVITY, explained)
    renders.add(near, discs(near))
    assert len(renders) >= AFTER
    assert distances(renders, targets).ratio > 1.5 * RegressionOptions().mismatch
    noticed = []
    for _ in range(rounds):
        mismatch.watch(renders, believed(std), SENSITIVITY, explained)
        noticed.append(mismatch.noticed)
    return noticed


def test_a_search_that_gathers_in_a_wrong_place_is_no_mismatch(gathered):
    assert not any(watched(gathered, explained=0.7, rounds=9))
    assert not any(watched(gathered, std=UNSURE, rounds=9))


def test_a_search_that_has_closed_in_far_from_the_targets_is_one(gathered):
    assert watched(gathered) == [False] * (ROUNDS - 1) + [True]


def test_targets_outside_all_that_is_rendered_are_one_whatever_is_known(gathered):
    start, near, _ = gathered
    inverted = 255 - discs(torch.zeros(30, 2) + 0.01 * torch.arange(30)[:, None])
    outside = Renders(torch.zeros(30, 2), inverted).boxes
    found = watched((start, near, outside), std=UNSURE, explained=0.2)
    assert found == [False] * (ROUNDS - 1) + [True]


def test_few_renders_are_none(gathered):
    start, near, targets = gathered
    renders = Renders(start.x, start.pictures)
    renders.add(near[: AFTER - 1 - len(renders)], discs(near[: AFTER - 1 - len(renders)]))
    mismatch = Mismatch(targets, RegressionOptions())
    for _ in range(9):
        mismatch.watch(renders, believed(SURE), SENSITIVITY, 0.95)
    assert not mismatch.noticed


def test_the_rounds_must_be_one_after_another_and_are_kept(gathered):
    start, near, targets = gathered
    renders = Renders(start.x, start.pictures)
    first, second = (Mismatch(targets, RegressionOptions()) for _ in range(2))
    first.watch(renders, believed(SURE), SENSITIVITY, 0.95)
    renders.add(near, discs(near))
    for explained in (0.95, 0.95, 0.5, 0.95, 0.95):
        first.watch(renders, believed(SURE), SENSITIVITY, explained)
    assert not first.noticed
    second.load_state_dict(first.state_dict())
    second.watch(renders, believed(SURE), SENSITIVITY, 0.95)
    assert second.noticed
