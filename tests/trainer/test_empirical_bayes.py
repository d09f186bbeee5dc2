# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from trainer.estimators.regression.empirical_bayes import estimate_population, render_weights
from trainer.estimators.regression.renders import Prediction


def posteriors(x, noise, prior_mean, prior_std, seed=0):
    """Return the exact posteriors of ``x`` given noisy observations, under a normal prior, and the
    observations."""
    generator = torch.Generator().manual_seed(seed)
    observed = x + noise * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    precision = 1 / noise**2 + 1 / prior_std**2
    mean = (observed / noise**2 + prior_mean / prior_std**2) / precision
    variance = (1 / precision).expand_as(x).clone()
    return Prediction(
        mean, torch.diag_embed(variance), prior_mean, prior_std**2, variance.mean(0).sqrt(), mean[0]
    ), observed


def draw(count, mean, covariance, seed=1):
    factor = torch.linalg.cholesky(torch.tensor(covariance, dtype=torch.float64))
    z = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.tensor(mean, dtype=torch.float64) + z @ factor.T


def test_noise_and_prior_are_removed():
    x = draw(4000, [2.0, -1.0], [[0.04, 0.03], [0.03, 0.09]])
    noise = torch.tensor([0.1, 0.3]).double()
    prior_mean, prior_std = torch.tensor([1.5, 0.0]).double(), torch.tensor([0.6, 0.9]).double()
    prediction, observed = posteriors(x, noise, prior_mean, prior_std)
    population = estimate_population(prediction)
    # The maximum of the marginal likelihood in closed form: the covariance of the observations
    # less that of the noise.
    np.testing.assert_allclose(population.mean, observed.mean(0), atol=0.005)
    expected = observed.T.cov(correction=0) - torch.diag(noise**2)
    np.testing.assert_allclose(population.std**2, expected.diagonal(), rtol=0.03)
    wanted = expected[0, 1] / (expected[0, 0] * expected[1, 1]).sqrt()
    assert population.correlation[0, 1].item() == pytest.approx(wanted.item(), abs=0.03)


def test_an_undetermined_parameter_keeps_the_prior():
    x = draw(64, [2.0, 0.0], [[0.01, 0.0], [0.0, 0.01]])
    prediction, _ = posteriors(
        x,
        torch.tensor([0.01, 100.0]).double(),
        torch.tensor([1.5, 0.7]).double(),
        torch.tensor([0.6, 0.4]).double(),
    )
    population = estimate_population(prediction)
    assert population.mean[0].item() == pytest.approx(x[:, 0].mean().item(), abs=0.01)
    assert population.mean[1].item() == pytest.approx(0.7, abs=0.02)
    assert population.std[1].item() == pytest.approx(0.4, rel=0.05)


def test_insignificant_correlations_are_zero():
    x = draw(64, [0.0, 0.0], [[0.01, 0.0], [0.0, 0.01]])
    noise = torch.tensor([0.001, 0.001]).double()
    prediction, _ = posteriors(x, noise, torch.zeros(2).double(), torch.tensor([0.5, 0.5]).double())
    assert torch.equal(estimate_population(prediction).correlation, torch.eye(2).double())


def test_one_target_has_a_population():
    prediction, _ = posteriors(
        torch.tensor([[1.0, 2.0]]).double(),
        torch.tensor([0.01, 0.01]).double(),
        torch.zeros(2).double(),
        torch.ones(2).double(),
    )
    population = estimate_population(prediction)
    np.testing.assert_allclose(population.mean, [1.0, 2.0], atol=0.05)
    assert population.std.isfinite().all()
    assert (population.std > 0).all()


def test_renders_are_weighted_by_the_predictions_of_all_targets():
    x = draw(64, [2.0, 0.0], [[0.01, 0.0], [0.0, 0.01]])
    x[0] = torch.tensor([9.0, 9.0])  # One wrong prediction does not widen the weights.
    zeros = torch.full((64, 2), 1e-6, dtype=torch.float64)
    prediction = Prediction(x, torch.diag_embed(zeros), x.mean(0), x.var(0), zeros[0], zeros[0])
    asked = torch.tensor([[2.0, 0.0], [2.3, 0.0], [9.0, 9.0]], dtype=torch.float64)
    weights = render_weights(asked, prediction, 3.0)
    assert weights[0] > 0.98
    assert 0.5 < weights[1] < weights[0]
    assert weights[2] == pytest.approx(1e-4)
