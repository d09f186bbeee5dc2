# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from trainer.estimators.regression.emulator import LINEAR_UNIT, Emulator


def waves(x):
    """Return three smooth functions of two parameters; the third hardly changes."""
    a, b = x.T
    return torch.stack((torch.sin(2 * a) + b, torch.cos(a - b), 0.05 * a * b), 1)


def points(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1


@pytest.fixture(scope="module")
def emulator():
    return Emulator(points(80, 0), waves(points(80, 0)))


def test_it_predicts_new_points(emulator):
    fresh = points(200, 1)
    error = emulator.predict(fresh).mean - waves(fresh)
    assert (error.pow(2).mean(0) < 2e-3 * waves(fresh).var(0)).all()


@pytest.mark.parametrize("sensitivity", [None, [[2.0, 1.9], [1.9, 2.0]]])
def test_its_jacobian_is_its_derivative(sensitivity):
    sensitivity = None if sensitivity is None else torch.tensor(sensitivity).double()
    emulator = Emulator(points(80, 0), waves(points(80, 0)), sensitivity)
    x = points(5, 2)
    step = 1e-5
    jacobian = emulator.predict(x).jacobian
    for k in range(2):
        offset = torch.zeros(2).double()
        offset[k] = step
        up, down = emulator.predict(x + offset).mean, emulator.predict(x - offset).mean
        np.testing.assert_allclose(jacobian[:, :, k], (up - down) / (2 * step), atol=1e-5)


def test_its_kernel_is_that_of_gpml():
    x, y = points(30, 3), waves(points(30, 3))
    emulator = Emulator(x, y)
    lengths = emulator.theta[:-2].exp() * x.std(0)
    slope = emulator.theta[-2].exp().item() * LINEAR_UNIT
    scaled = (x - x.mean(0)) / lengths

    def covariance(a, b):
        """Return equation 4.17 of GPML, with a linear part."""
        r = 5**0.5 * (a[:, None] - b).norm(dim=-1)
        return (1 + r + r**2 / 3) * torch.exp(-r) + slope * a @ b.T

    fresh = points(4, 4)
    at = (fresh - x.mean(0)) / lengths
    whole = covariance(scaled, scaled) + emulator.noise * torch.eye(30)
    cross = covariance(at, scaled)
    mean = y.mean(0) + cross @ torch.linalg.solve(whole, y - y.mean(0))
    output = emulator.predict(fresh)
    np.testing.assert_allclose(output.mean, mean, rtol=1e-6, atol=1e-8)
    variance = (
        1 + slope * at.pow(2).sum(1) - (cross @ torch.linalg.solve(whole, cross.T)).diagonal()
    )
    np.testing.assert_allclose(output.variance, variance, rtol=1e-4, atol=1e-8)


def test_leave_one_out_equals_leaving_one_out():
    x, y = points(25, 5), waves(points(25, 5))
    emulator = Emulator(x, y)
    residual, variance = emulator.leave_one_out()
    kernel = emulator._covariance(emulator.theta)
    for i in (0, 7, 24):
        others = [j for j in range(25) if j != i]
        solved = torch.linalg.solve(kernel[others][:, others], (y - y.mean(0))[others])
        expected = y[i] - y.mean(0) - kernel[i, others] @ solved
        np.testing.assert_allclose(residual[i], expected, rtol=1e-5, atol=1e-9)
        left_out = kernel[i, i] - kernel[i, others] @ torch.linalg.solve(
            kernel[others][:, others], kernel[others, i]
        )
        assert variance[i].item() == pytest.approx(left_out.item(), rel=1e-5)


def test_other_axes_give_the_same_outputs(emulator):
    axes = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]], dtype=torch.float64)
    x = points(6, 6)
    transformed, plain = emulator.in_axes(axes).predict(x), emulator.predict(x)
    np.testing.assert_allclose(transformed.mean, plain.mean @ axes)
    expected = torch.einsum("bck,cd->bdk", plain.jacobian, axes)
    np.testing.assert_allclose(transformed.jacobian, expected)


def test_it_starts_at_given_hyper_parameters():
    x, y = points(40, 7), waves(points(40, 7))
    first = Emulator(x, y)
    again = Emulator(x, y, theta=first.theta)
    np.testing.assert_allclose(again.theta, first.theta, atol=0.3)


def exchanged(x):
    """Return outputs of two exchangeable parameters, which depend on the sum and hardly on the
    difference."""
    together, apart = x.sum(1), x[:, 0] - x[:, 1]
    waves = [torch.sin((2 + k / 4) * together + k) for k in range(8)]
    return torch.stack(waves, 1) + 0.02 * apart[:, None]


def test_the_directions_of_sensitivity_improve_predictions():
    x, fresh = points(40, 8), points(300, 9)
    by_parameter = Emulator(x, exchanged(x))
    jacobian = by_parameter.predict(x).jacobian
    sensitivity = torch.einsum("nck,ncl->kl", jacobian, jacobian)
    by_direction = Emulator(x, exchanged(x), sensitivity)

    def error(emulator):
        return (emulator.predict(fresh).mean - exchanged(fresh)).pow(2).mean()

    def slope(emulator):
        """Return the slope of true on predicted derivatives along the exchange; 1 is right."""
        direction = torch.tensor([1.0, -1.0]).double()
        return (
            0.04
            * (emulator.predict(fresh).jacobian @ direction).sum()
            / ((emulator.predict(fresh).jacobian @ direction) ** 2).sum()
        )

    assert error(by_direction) < 0.3 * error(by_parameter)
    assert slope(by_parameter) < 0.8
    assert 0.9 < slope(by_direction) < 1.1
