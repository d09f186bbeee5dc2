# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch
from torch.distributions import LogNormal, MultivariateNormal, Normal

from gdr_core.families import Distribution
from gdr_core.supershape import parameters
from trainer.estimators.probability_model import ProbabilityModel

START = {
    "m1": Distribution(family="lognormal", mean=1.2, std=0.4),
    "n1_1": Distribution(family="normal", mean=-2.0, std=0.7),
    "n2_2": Distribution(family="bounded", mean=0.3, std=0.9, low=2.0, high=10.0),
}


@pytest.fixture
def model():
    return ProbabilityModel(START, parameters.defaults())


def test_log_probabilities_and_gradients_agree_with_torch(model):
    z = model.sample(50, torch.Generator().manual_seed(1))
    ours = model.log_prob(z)
    mean, std = model.mean, model.log_std.exp()
    share = (z[:, 2] - 2.0) / 8.0
    # Logit-normal density by hand: that of the normal at logit(s), over s (1 - s) (high - low).
    logit = torch.log(share) - torch.log1p(-share)
    bounded = Normal(mean[2], std[2]).log_prob(logit) - torch.log(share * (1 - share) * 8.0)
    theirs = (
        LogNormal(mean[0], std[0]).log_prob(z[:, 0])
        + Normal(mean[1], std[1]).log_prob(z[:, 1])
        + bounded
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    for which in (model.mean, model.log_std):
        got = torch.autograd.grad(ours.mean(), which, retain_graph=True)[0]
        want = torch.autograd.grad(theirs.mean(), which, retain_graph=True)[0]
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)


def test_scores_agree_with_finite_differences(model):
    model = model.double()
    z = model.sample(5, torch.Generator().manual_seed(2)).double()
    model.log_prob(z).sum().backward()
    for which in (model.mean, model.log_std):
        for k in range(3):
            values = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    which[k] += step
                    values.append(model.log_prob(z).sum().item())
                    which[k] -= step
            slope = (values[0] - values[1]) / 2e-5
            assert which.grad[k].item() == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_samples_have_the_moments_of_the_underlying_normal(model):
    z = model.sample(40_000, torch.Generator().manual_seed(3)).numpy().astype(float)
    x = np.stack(
        [
            np.log(z[:, 0]),
            z[:, 1],
            np.log((z[:, 2] - 2) / (10 - z[:, 2])),
        ]
    )
    # Four standard errors of a mean and of a spread over 40,000 samples.
    np.testing.assert_allclose(x.mean(1), [1.2, -2.0, 0.3], atol=4 * 0.9 / 200)
    np.testing.assert_allclose(x.std(1), [0.4, 0.7, 0.9], rtol=4 / np.sqrt(80_000))


def test_correlated_parameters_have_the_density_and_moments_of_a_correlated_normal():
    start = {name: Distribution(mean=mean, std=0.3) for name, mean in (("m1", 1.0), ("m2", 2.0))}
    model = ProbabilityModel(start, parameters.defaults())
    model.correlation[0, 1] = model.correlation[1, 0] = 0.7
    z = model.sample(40_000, torch.Generator().manual_seed(5))
    x = z.double().log()
    joint = MultivariateNormal(
        torch.tensor([1.0, 2.0]).double(), 0.09 * torch.tensor([[1.0, 0.7], [0.7, 1.0]]).double()
    )
    want = joint.log_prob(x) - x.sum(1)
    torch.testing.assert_close(model.log_prob(z).double(), want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(x.mean(0), [1.0, 2.0], atol=0.01)
    np.testing.assert_allclose(x.T.cov(), joint.covariance_matrix, atol=0.002)


def test_bounded_samples_stay_inside_and_have_a_finite_score():
    wide = {"m1": Distribution(family="bounded", mean=0.0, std=30.0, low=0.0, high=20.0)}
    model = ProbabilityModel(wide, parameters.defaults())
    z = model.sample(2000, torch.Generator().manual_seed(0))
    assert ((z > 0) & (z < 20)).all()
    model.log_prob(z).sum().backward()
    assert torch.isfinite(model.mean.grad).all()
    assert torch.isfinite(model.log_std.grad).all()


def test_the_spread_is_positive_whatever_an_optimiser_does(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(50):
        optimizer.zero_grad()
        model.std.sum().backward()
        optimizer.step()
    assert (model.std > 0).all()


def test_samples_fill_their_columns_and_leave_the_fixed_ones(model):
    z = torch.tensor([[1.0, 2.0, 3.0]])
    row = model.to_parameters(z)[0]
    expected = parameters.from_values({"m1": 1.0, "n1_1": 2.0, "n2_2": 3.0})
    np.testing.assert_array_equal(row, expected)


def test_current_returns_what_it_started_with(model):
    for name, now in model.current().items():
        start = START[name]
        assert (now.family, now.low, now.high) == (start.family, start.low, start.high)
        assert now.mean == pytest.approx(start.mean)
        assert now.std == pytest.approx(start.std, rel=1e-6)
