# SPDX-License-Identifier: GPL-3.0-or-later
import math

import numpy as np
import pytest
import torch

from trainer.estimators.regression.gaussian_process import GaussianProcess
from trainer.estimators.regression.kernel import JITTER

ONE = torch.ones(6, dtype=torch.float64)


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(25, 3, generator=generator, dtype=torch.float64)
    noise = 0.05 * torch.randn(25, generator=generator, dtype=torch.float64)
    values = 4.0 + torch.sin(features[:, 0]) + 0.5 * features[:, 1] + noise
    return features, values


def by_hand(process, a, b):
    """Return the covariance of two sets of points, one pair at a time."""
    length, amplitude, slope, _ = process._theta.exp().tolist()
    unit, median = process._linear_unit.item(), process._median.item()
    out = np.empty((len(a), len(b)))
    for i, x in enumerate(a.tolist()):
        for j, y in enumerate(b.tolist()):
            r = math.sqrt(5 * math.dist(x, y) ** 2 / (length * median) + 1e-12)
            product = sum(p * q for p, q in zip(x, y, strict=True))
            out[i, j] = amplitude * (1 + r + r * r / 3) * math.exp(-r) + slope * product / unit
    return out


def test_predictions_have_the_closed_form(data):
    features, values = data
    weights = torch.linspace(0.2, 1.0, 25, dtype=torch.float64)
    process = GaussianProcess(features, values, weights)
    queries = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mean, variance = process.predict(queries)
    noise = process._theta[3].exp().item() + JITTER
    inverse = np.linalg.inv(by_hand(process, features, features) + noise * np.diag(1 / weights))
    cross, own = by_hand(process, queries, features), by_hand(process, queries, queries)
    y, w = values.numpy(), weights.numpy()
    centre = np.average(y, weights=w)
    spread = np.average((y - centre) ** 2, weights=w) ** 0.5
    scaled = (y - centre) / spread
    np.testing.assert_allclose(mean, centre + spread * cross @ inverse @ scaled, rtol=1e-6)
    noiseless = np.diag(own - cross @ inverse @ cross.T)
    expected = spread**2 * (noiseless + noise - JITTER)
    np.testing.assert_allclose(variance, expected, rtol=1e-4)


def test_leave_one_out_equals_leaving_one_out(data):
    features, values = data
    process = GaussianProcess(features, values, torch.ones(25).double())
    noise = process._theta[3].exp().item() + JITTER
    covariance = by_hand(process, features, features) + noise * np.eye(25)
    spread = values.std(unbiased=False).item()
    scaled = ((values - values.mean()) / spread).numpy()
    for i, residual in enumerate(process.leave_one_out().tolist()):
        rest = np.arange(25) != i
        solved = np.linalg.solve(covariance[np.ix_(rest, rest)], scaled[rest])
        predicted = covariance[i, rest] @ solved
        assert residual == pytest.approx(spread * (scaled[i] - predicted), abs=1e-8)


def test_it_learns_a_smooth_function():
    generator = torch.Generator().manual_seed(2)
    many = torch.randn(120, 3, generator=generator, dtype=torch.float64)
    process = GaussianProcess(
        many, torch.sin(many[:, 0]) + 0.5 * many[:, 1], torch.ones(120).double()
    )
    inside = 0.5 * torch.randn(50, 3, generator=generator, dtype=torch.float64)
    mean, variance = process.predict(inside)
    error = mean - (torch.sin(inside[:, 0]) + 0.5 * inside[:, 1])
    assert error.abs().max() < 0.05
    assert (error.abs() < 4 * variance.sqrt() + 1e-3).all()


def test_an_observation_of_little_weight_has_little_influence():
    features = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    values = features[:, 0].clone()
    values[4] = 5.0
    weights = torch.ones(9, dtype=torch.float64)
    weights[4] = 1e-4
    process = GaussianProcess(features, values, weights)
    assert process.predict(torch.zeros(1, 1).double())[0].item() == pytest.approx(0.0, abs=0.1)


def test_equal_points_and_equal_values_do_no_harm():
    same = GaussianProcess(torch.ones(5, 2).double(), torch.arange(5.0).double(), ONE[:5])
    mean, variance = same.predict(torch.ones(1, 2).double())
    assert mean.item() == pytest.approx(2.0, abs=0.2)
    assert variance.item() > 0
    flat = GaussianProcess(torch.randn(6, 2).double(), torch.full((6,), 3.0).double(), ONE)
    assert flat.predict(torch.zeros(1, 2).double())[0].item() == pytest.approx(3.0)
