# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
import torch

from trainer.estimators.regression.mismatch import MIN_RENDERS, ROUNDS, Mismatch
from trainer.estimators.regression.options import RegressionOptions
from trainer.estimators.regression.pixel_regression import distances
from trainer.estimators.regression.renders import Prediction, Renders

SENSITIVITY = torch.eye(2).double() / 0.1**2
"""One spread of the targets, 0.1, changes a picture by the root of the targets' variance."""
PRECISE, UNCERTAIN = 0.02, 1.0
"""Posterior standard deviations, a fifth and ten times that spread."""


def discs(x):
    """Return pictures ``(n, 3, 32, 32)`` of soft discs, placed by ``(n, 2)`` parameters."""
    axis = torch.arange(32.0)
    row, column = (axis - 16 - 8 * part[:, None] for part in x.float().T)
    levels = torch.sigmoid(4 - torch.hypot(row[:, :, None], column[:, None, :]))
    return (255 * levels).to(torch.uint8)[:, None].expand(-1, 3, -1, -1)


def predicted(std):
    """Return a prediction for one target with that standard deviation."""
    mean, variance = torch.zeros(1, 2).double(), torch.full((2,), std**2).double()
    return Prediction(
        mean, torch.diag(variance)[None], mean[0], variance, variance.sqrt(), mean[0] + 1.0
    )


@pytest.fixture
def gathered():
    """Return few renders that cover the box, those of a search that gathers in a wrong place, and
    the features of targets in another place."""
    generator = torch.Generator().manual_seed(0)
    cover = 2 * torch.rand(14, 2, generator=generator).double() - 1
    truth = torch.tensor([0.8, 0.8]) + 0.1 * torch.randn(30, 2, generator=generator)
    # None is near the targets, as in a box of more parameters.
    distant = (cover - 0.8).norm(dim=1) > 0.9
    renders = Renders(cover[distant], discs(cover[distant]))
    targets = Renders(truth, discs(truth)).features
    best = renders.x[torch.cdist(renders.features, targets).mean(1).argmin()]
    near = best - 0.02 * torch.rand(100 - len(renders), 2, generator=generator).double()
    return renders, near, targets


def detections(gathered, std=PRECISE, explained=0.95, rounds=ROUNDS):
    """Return whether a mismatch is detected after each of the rounds that follow the first."""
    start, near, targets = gathered
    renders = Renders(start.x, start.pictures)
    mismatch = Mismatch(targets, RegressionOptions())
    mismatch.update(renders, predicted(std), SENSITIVITY, explained)
    renders.add(near, discs(near))
    assert len(renders) >= MIN_RENDERS
    assert distances(renders, targets).ratio > 1.5 * RegressionOptions().mismatch_ratio
    detected = []
    for _ in range(rounds):
        mismatch.update(renders, predicted(std), SENSITIVITY, explained)
        detected.append(mismatch.detected)
    return detected


def test_a_search_that_gathers_in_a_wrong_place_is_no_mismatch(gathered):
    assert not any(detections(gathered, explained=0.7, rounds=9))
    assert not any(detections(gathered, std=UNCERTAIN, rounds=9))


def test_a_converged_search_far_from_the_targets_is_a_mismatch(gathered):
    assert detections(gathered) == [False] * (ROUNDS - 1) + [True]


def test_targets_outside_all_renders_are_a_mismatch(gathered):
    start, near, _ = gathered
    inverted = 255 - discs(torch.zeros(30, 2) + 0.01 * torch.arange(30)[:, None])
    outside = Renders(torch.zeros(30, 2), inverted).features
    detected = detections((start, near, outside), std=UNCERTAIN, explained=0.2)
    assert detected == [False] * (ROUNDS - 1) + [True]


def test_few_renders_are_no_mismatch(gathered):
    start, near, targets = gathered
    renders = Renders(start.x, start.pictures)
    renders.add(
        near[: MIN_RENDERS - 1 - len(renders)], discs(near[: MIN_RENDERS - 1 - len(renders)])
    )
    mismatch = Mismatch(targets, RegressionOptions())
    for _ in range(9):
        mismatch.update(renders, predicted(PRECISE), SENSITIVITY, 0.95)
    assert not mismatch.detected


def test_rounds_must_be_consecutive_and_are_saved(gathered):
    start, near, targets = gathered
    renders = Renders(start.x, start.pictures)
    first, second = (Mismatch(targets, RegressionOptions()) for _ in range(2))
    first.update(renders, predicted(PRECISE), SENSITIVITY, 0.95)
    renders.add(near, discs(near))
    for explained in (0.95, 0.95, 0.5, 0.95, 0.95):
        first.update(renders, predicted(PRECISE), SENSITIVITY, explained)
    assert not first.detected
    second.load_state_dict(first.state_dict())
    second.update(renders, predicted(PRECISE), SENSITIVITY, 0.95)
    assert second.detected
