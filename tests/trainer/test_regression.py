# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from gdr_core import parameters
from gdr_core.families import Distribution
from gdr_core.settings import TrainingSettings
from trainer import checkpoint, estimators
from trainer.probability_model import ProbabilityModel

START = {
    "m1": Distribution(mean=1.2, std=0.4),
    "n1_1": Distribution(family="bounded", mean=0.0, std=0.8, low=-10.0, high=10.0),
}


def discs(z: torch.Tensor, size: int = 32) -> np.ndarray:
    """A renderer in numpy: a soft disc of radius ``z[:, 0]``, moved sideways by ``z[:, 1]``."""
    axis = np.arange(size) - size / 2 + 0.5
    radius, shift = z.double().numpy().T[..., None, None]
    distance = np.hypot(axis[None, None, :] - shift, axis[None, :, None])
    level = 1.0 / (1.0 + np.exp(distance - radius))
    return np.repeat((level * 255).astype(np.uint8)[..., None], 3, axis=3)


def make(seed, targets):
    training = TrainingSettings(size=32, batch=20, estimator="regression")
    model = ProbabilityModel(START, parameters.defaults())
    generator = torch.Generator().manual_seed(seed)
    return estimators.make(training, model, targets, torch.device("cpu"), generator)


def hidden(seed, count=40):
    """Return internal parameters ``(count, 2)`` and their pictures."""
    known = ProbabilityModel(
        {
            "m1": Distribution(mean=2.1, std=0.15),
            "n1_1": Distribution(family="bounded", mean=0.4, std=0.2, low=-10.0, high=10.0),
        },
        parameters.defaults(),
    )
    z = known.sample(count, torch.Generator().manual_seed(seed))
    return known.to_internal(z), discs(z)


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_mean_and_spread_and_says_when(seed):
    x, pictures = hidden(100 + seed)
    estimator = make(seed, pictures)
    converged, renders = False, 0
    while not converged and renders < 300:
        z = estimator.propose()
        assert z.shape == (20, 2)
        converged = estimator.update(z, discs(z)).converged
        renders += 20
    assert converged
    mean, std = estimator.model.mean.detach(), estimator.model.std.detach()
    np.testing.assert_allclose(mean, x.mean(0), atol=0.02)
    np.testing.assert_allclose(std, x.std(0, unbiased=False), rtol=0.1)
    np.testing.assert_allclose(estimator.prediction.mean, x, atol=0.1)


def test_it_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(tmp_path):
    _, pictures = hidden(0)
    whole, resumed = make(0, pictures), make(9, pictures)
    for _ in range(3):
        z = whole.propose()
        whole.update(z, discs(z))
    checkpoint.save(tmp_path / "c", whole.state_dict())
    resumed.load_state_dict(checkpoint.load(tmp_path / "c"))
    for _ in range(2):
        one, two = whole.propose(), resumed.propose()
        assert torch.equal(one, two)
        assert whole.update(one, discs(one)) == resumed.update(two, discs(two))
    assert torch.equal(whole.model.mean, resumed.model.mean)


def test_internal_units_and_values_are_inverse():
    model = ProbabilityModel(START, parameters.defaults())
    x = torch.tensor([[0.3, -1.0], [2.0, 1.5]], dtype=torch.float64)
    torch.testing.assert_close(model.to_internal(model.from_internal(x)), x, rtol=1e-5, atol=1e-5)
