# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch
from torch.distributions import (
    AffineTransform,
    LogNormal,
    MultivariateNormal,
    Normal,
    SigmoidTransform,
    TransformedDistribution,
)

from gdr_core.families import Distribution
from trainer.estimators.probability_model import ProbabilityModel

START = {
    "m1": Distribution(family="lognormal", mean=1.2, std=0.4),
    "n1_1": Distribution(family="normal", mean=-2.0, std=0.7),
    "n2_2": Distribution(family="bounded", mean=0.3, std=0.9, low=2.0, high=10.0),
}


@pytest.fixture
def model():
    return ProbabilityModel(START)


def own_units(model: ProbabilityModel, x: torch.Tensor) -> torch.Tensor:
    """Return torch's own log-density of each parameter's values, in the parameters' own units."""
    mean, std = model.mean, model.log_std.exp()
    parts = [
        LogNormal(mean[0], std[0]).log_prob(x[:, 0].exp()),
        Normal(mean[1], std[1]).log_prob(x[:, 1]),
        TransformedDistribution(
            Normal(mean[2], std[2]), [SigmoidTransform(), AffineTransform(2.0, 8.0)]
        ).log_prob(2.0 + 8.0 * torch.sigmoid(x[:, 2])),
    ]
    return sum(parts)


def test_scores_are_those_of_the_density_in_the_parameters_own_units(model):
    """The maps of the families do not depend on psi, so that they drop out of its gradient."""
    model = model.double()
    x = model.sample(50, torch.Generator().manual_seed(1)).double()
    ours, theirs = model.log_prob(x), own_units(model, x)
    assert not torch.allclose(ours, theirs)
    weights = torch.linspace(-1.0, 2.0, 50).double()  # As of a cost less its baseline.
    for which in (model.mean, model.log_std):
        got = torch.autograd.grad((weights * ours).mean(), which, retain_graph=True)[0]
        want = torch.autograd.grad((weights * theirs).mean(), which, retain_graph=True)[0]
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


def test_scores_agree_with_finite_differences(model):
    model = model.double()
    x = model.sample(5, torch.Generator().manual_seed(2)).double()
    model.log_prob(x).sum().backward()
    for which in (model.mean, model.log_std):
        for k in range(3):
            values = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    which[k] += step
                    values.append(model.log_prob(x).sum().item())
                    which[k] -= step
            slope = (values[0] - values[1]) / 2e-5
            assert which.grad[k].item() == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_samples_have_the_moments_of_the_model(model):
    x = model.sample(40_000, torch.Generator().manual_seed(3)).numpy().astype(float)
    # Four standard errors of a mean and of a spread over 40,000 samples.
    np.testing.assert_allclose(x.mean(0), [1.2, -2.0, 0.3], atol=4 * 0.9 / 200)
    np.testing.assert_allclose(x.std(0), [0.4, 0.7, 0.9], rtol=4 / np.sqrt(80_000))


def test_correlated_parameters_have_the_density_and_moments_of_a_correlated_normal():
    start = {name: Distribution(mean=mean, std=0.3) for name, mean in (("m1", 1.0), ("m2", 2.0))}
    model = ProbabilityModel(start)
    model.correlation[0, 1] = model.correlation[1, 0] = 0.7
    x = model.sample(40_000, torch.Generator().manual_seed(5)).double()
    joint = MultivariateNormal(
        torch.tensor([1.0, 2.0]).double(), 0.09 * torch.tensor([[1.0, 0.7], [0.7, 1.0]]).double()
    )
    got = model.log_prob(x.float()).double()
    torch.testing.assert_close(got, joint.log_prob(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(x.mean(0), [1.0, 2.0], atol=0.01)
    np.testing.assert_allclose(x.T.cov(), joint.covariance_matrix, atol=0.002)


def test_the_spread_is_positive_whatever_an_optimiser_does(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(50):
        optimizer.zero_grad()
        model.std.sum().backward()
        optimizer.step()
    assert (model.std > 0).all()


def test_current_returns_what_it_started_with(model):
    for name, now in model.current().items():
        start = START[name]
        assert (now.family, now.low, now.high) == (start.family, start.low, start.high)
        assert now.mean == pytest.approx(start.mean)
        assert now.std == pytest.approx(start.std, rel=1e-6)
