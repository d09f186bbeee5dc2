# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from trainer.estimators.regression.emulator import Emulator
from trainer.estimators.regression.inversion import Inverter


def curve(x):
    """Return four nonlinear functions of two parameters."""
    a, b = x.T
    return torch.stack((a + 0.3 * b**2, torch.sin(a + b), b - 0.2 * a * b, torch.exp(0.5 * a)), 1)


def points(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1


SCALE = 100.0
"""Outputs are in hundredths, so that their errors are of variance 1 at most."""


def outputs_of(x):
    return SCALE * curve(x)


def inverter(noise=0.0, centre=(0.0, 0.0), precision=1e-6):
    emulator = Emulator(points(100, 0), outputs_of(points(100, 0)))
    _, variance = emulator.leave_one_out()
    return Inverter(
        emulator,
        variance.mean().item(),
        torch.full((4,), noise).double(),
        torch.tensor(centre).double(),
        torch.full((2,), precision).double(),
    )


def test_it_infers_the_parameters_of_a_picture():
    x = 0.8 * points(30, 1)
    inversion = inverter()(outputs_of(x), torch.zeros(30, 2).double())
    np.testing.assert_allclose(inversion.x, x, atol=0.01)
    assert inversion.misfit.max() < 1.0


def test_its_information_is_the_curvature_of_the_likelihood():
    noise = 25.0
    inverse = inverter(noise=noise)
    x = 0.5 * points(1, 2)
    inversion = inverse(outputs_of(x), x)
    jacobian = torch.autograd.functional.jacobian(lambda q: outputs_of(q[None])[0], inversion.x[0])
    ratio = (
        inverse.emulator.predict(x).variance + inverse.emulator.noise
    ) / inverse.typical_variance
    expected = jacobian.T @ jacobian / (ratio + noise)
    np.testing.assert_allclose(inversion.information[0], expected, rtol=0.03)


def test_without_information_the_result_is_the_prior():
    inverse = inverter(noise=1e10, centre=(0.4, -0.3), precision=4.0)
    inversion = inverse(outputs_of(points(3, 3)), torch.zeros(3, 2).double())
    np.testing.assert_allclose(inversion.x, [[0.4, -0.3]] * 3, atol=1e-3)


def test_the_more_probable_of_two_is_chosen_for_each_target():
    inverse = inverter()
    outputs, x = outputs_of(points(2, 4)), points(2, 4)
    one = inverse._evaluate(outputs, torch.stack((x[0], x[1] + 0.5)))
    other = inverse._evaluate(outputs, torch.stack((x[0] + 0.5, x[1])))
    best = one.better(other)
    np.testing.assert_allclose(best.x, x)
    assert best.cost.tolist() == pytest.approx([one.cost[0].item(), other.cost[1].item()])
