# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from trainer.estimators.regression.emulator import LINEAR_UNIT, Emulator


def waves(x):
    """Three smooth functions of two parameters; the third hardly changes."""
    a, b = x.T
    return torch.stack((torch.sin(2 * a) + b, torch.cos(a - b), 0.05 * a * b), 1)


def points(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1


@pytest.fixture(scope="module")
def emulator():
    return Emulator(points(80, 0), waves(points(80, 0)))


def test_it_foresees_what_it_did_not_see(emulator):
    fresh = points(200, 1)
    missed = emulator.predict(fresh).mean - waves(fresh)
    assert (missed.pow(2).mean(0) < 2e-3 * waves(fresh).var(0)).all()


@pytest.mark.parametrize("sensitivity", [None, [[2.0, 1.9], [1.9, 2.0]]])
def test_its_jacobian_is_its_derivative(sensitivity):
    along = None if sensitivity is None else torch.tensor(sensitivity).double()
    emulator = Emulator(points(80, 0), waves(points(80, 0)), along)
    x = points(5, 2)
    step = 1e-5
    jacobian = emulator.predict(x).jacobian
    for k in range(2):
        away = torch.zeros(2).double()
        away[k] = step
        up, down = emulator.predict(x + away).mean, emulator.predict(x - away).mean
        np.testing.assert_allclose(jacobian[:, :, k], (up - down) / (2 * step), atol=1e-5)


def test_its_kernel_is_that_of_the_book():
    x, y = points(30, 3), waves(points(30, 3))
    emulator = Emulator(x, y)
    lengths = emulator.theta[:-2].exp() * x.std(0)
    slope = emulator.theta[-2].exp().item() * LINEAR_UNIT
    scaled = (x - x.mean(0)) / lengths

    def covariance(a, b):
        """Equation 4.17 of GPML, and 4.2 without a constant."""
        r = 5**0.5 * (a[:, None] - b).norm(dim=-1)
        return (1 + r + r**2 / 3) * torch.exp(-r) + slope * a @ b.T

    fresh = points(4, 4)
    at = (fresh - x.mean(0)) / lengths
    whole = covariance(scaled, scaled) + emulator.noise * torch.eye(30)
    cross = covariance(at, scaled)
    mean = y.mean(0) + cross @ torch.linalg.solve(whole, y - y.mean(0))
    found = emulator.predict(fresh)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6, atol=1e-8)
    variance = (
        1 + slope * at.pow(2).sum(1) - (cross @ torch.linalg.solve(whole, cross.T)).diagonal()
    )
    np.testing.assert_allclose(found.variance, variance, rtol=1e-4, atol=1e-8)


def test_leave_one_out_is_what_leaving_out_gives():
    x, y = points(25, 5), waves(points(25, 5))
    emulator = Emulator(x, y)
    residual, variance = emulator.leave_one_out()
    kernel = emulator._covariance(emulator.theta)
    for i in (0, 7, 24):
        others = [j for j in range(25) if j != i]
        solved = torch.linalg.solve(kernel[others][:, others], (y - y.mean(0))[others])
        expected = y[i] - y.mean(0) - kernel[i, others] @ solved
        np.testing.assert_allclose(residual[i], expected, rtol=1e-5, atol=1e-9)
        least = kernel[i, i] - kernel[i, others] @ torch.linalg.solve(
            kernel[others][:, others], kernel[others, i]
        )
        assert variance[i].item() == pytest.approx(least.item(), rel=1e-5)


def test_in_other_axes_it_says_the_same(emulator):
    axes = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]], dtype=torch.float64)
    x = points(6, 6)
    turned, plain = emulator.in_axes(axes).predict(x), emulator.predict(x)
    np.testing.assert_allclose(turned.mean, plain.mean @ axes)
    expected = torch.einsum("bck,cd->bdk", plain.jacobian, axes)
    np.testing.assert_allclose(turned.jacobian, expected)


def test_it_begins_at_what_it_is_given():
    x, y = points(40, 7), waves(points(40, 7))
    first = Emulator(x, y)
    again = Emulator(x, y, theta=first.theta)
    np.testing.assert_allclose(again.theta, first.theta, atol=0.3)


def exchanged(x):
    """Two parameters that can be exchanged: their sum is seen well, their difference hardly."""
    together, apart = x.sum(1), x[:, 0] - x[:, 1]
    waves = [torch.sin((2 + k / 4) * together + k) for k in range(8)]
    return torch.stack(waves, 1) + 0.02 * apart[:, None]


def test_along_the_directions_of_sensitivity_it_foresees_better():
    x, fresh = points(40, 8), points(300, 9)
    by_parameter = Emulator(x, exchanged(x))
    jacobian = by_parameter.predict(x).jacobian
    sensitivity = torch.einsum("nck,ncl->kl", jacobian, jacobian)
    by_direction = Emulator(x, exchanged(x), sensitivity)

    def missed(emulator):
        return (emulator.predict(fresh).mean - exchanged(fresh)).pow(2).mean()

    def slope(emulator):
        """Of true on foreseen derivatives along the exchange: 1 is neither too large nor small."""
        way = torch.tensor([1.0, -1.0]).double()
        return (
            0.04
            * (emulator.predict(fresh).jacobian @ way).sum()
            / ((emulator.predict(fresh).jacobian @ way) ** 2).sum()
        )

    assert missed(by_direction) < 0.3 * missed(by_parameter)
    assert slope(by_parameter) < 0.8
    assert 0.9 < slope(by_direction) < 1.1
