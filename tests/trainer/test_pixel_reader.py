# SPDX-License-Identifier: GPL-3.0-or-later
import math

import pytest
import torch

from trainer.estimators.regression.options import RegressionOptions
from trainer.estimators.regression.pixel_reader import PixelReader
from trainer.estimators.regression.proposals import Box
from trainer.estimators.regression.renders import Prediction

BOTH = torch.tensor([True, True])


def predicted(mean: torch.Tensor, std: tuple[float, float]) -> Prediction:
    """Return predictions of ``(N, 2)`` parameters, with the same error for all targets."""
    variance = torch.tensor(std).double() ** 2
    covariance = torch.diag(variance).expand(len(mean), 2, 2)
    return Prediction(mean, covariance, mean[0], variance, variance.sqrt(), BOTH.double())


def targets(first: float, second: float) -> torch.Tensor:
    """Return parameters of two targets with these means, and spreads of 0.3."""
    return torch.tensor([[first - 0.3, second - 0.3], [first + 0.3, second + 0.3]]).double()


def test_the_shift_of_the_mean_is_relative_to_its_uncertainty():
    previous = predicted(targets(1.0, 2.0), (0.1, 0.1))
    now = predicted(targets(1.2, 2.2), (0.4, 3.0))
    expected = [0.2 / math.hypot(0.3, 0.4), 0.2 / math.hypot(0.3, 3.0)]
    assert now.shift_from(previous).tolist() == pytest.approx(expected)


def test_a_moving_mean_prevents_convergence():
    options = RegressionOptions()
    box = Box(torch.zeros(2).double(), torch.ones(2).double(), options.half)
    reader = PixelReader(torch.zeros(2, 3).double(), box, options)
    reader.sensitivity = torch.eye(2).double()
    now = predicted(targets(1.2, 2.0), (0.01, 0.01))
    assert reader.relative_uncertainty(now, BOTH) < 1.0
    reader._shift = now.shift_from(predicted(targets(1.0, 2.0), (0.01, 0.01)))
    assert reader.relative_uncertainty(now, BOTH) == pytest.approx(
        0.2 / math.hypot(0.3, 0.01) / options.mean_shift
    )
    assert reader.relative_uncertainty(now, torch.tensor([False, True])) < 1.0
