# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import torch

from trainer.estimators.regression import emulation, pixel_regression
from trainer.estimators.regression.pictures import features, thumbnails
from trainer.estimators.regression.renders import Renders

CENTRE, SPREAD = torch.tensor([8.0, 0.0]).double(), torch.tensor([1.0, 1.5]).double()


def discs(x: torch.Tensor, size: int = 32) -> np.ndarray:
    """Render a soft disc of radius ``x[:, 0]``, shifted sideways by ``x[:, 1]``."""
    axis = np.arange(size) - size / 2 + 0.5
    radius, shift = x[:, :2].numpy().T[..., None, None]
    distance = np.hypot(axis[None, None, :] - shift, axis[None, :, None])
    level = 255.0 / (1.0 + np.exp(distance - radius))
    return np.repeat(level.astype(np.uint8)[..., None], 3, axis=3)


def draw(count, seed, widened=1.0):
    noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed)).double()
    return CENTRE + widened * SPREAD * noise


def predict(x, pictures, targets):
    """Return the emulator's result for the targets."""
    renders = Renders(x, thumbnails(pictures))
    target_features = features(thumbnails(targets))
    initial = pixel_regression.predict(renders, target_features, None, 3.5)
    max_spread = torch.full((x.shape[1],), 10.0).double()
    return emulation.predict(renders, target_features, initial, max_spread, [initial.mean], None)


def test_it_infers_the_parameters_of_pictures():
    x, truth = draw(60, 0, 1.5), draw(40, 1)
    result = predict(x, discs(x), discs(truth))
    error = (result.prediction.mean - truth).pow(2).mean(0).sqrt()
    assert (error < 0.01 * SPREAD).all()
    assert result.explained > 0.99
    assert result.misfit < 2.0


def test_noise_of_the_targets_widens_the_posterior():
    x, truth = draw(60, 0, 1.5), draw(200, 1)
    clean = discs(truth)
    noise = np.random.default_rng(2).normal(0.0, 25.0, clean.shape)
    noisy = (clean + noise).clip(0, 255).astype(np.uint8)
    quiet = predict(x, discs(x), clean)
    result = predict(x, discs(x), noisy)
    assert (result.prediction.variance.mean(0) > 4 * quiet.prediction.variance.mean(0)).all()
    ratio = (result.prediction.mean - truth) / result.prediction.std
    assert ratio.std(0).min() > 0.25
    assert ratio.std(0).max() < 2.5


def test_sensitivity_is_the_squared_change_of_pictures():
    x, truth = draw(80, 0, 1.5), draw(40, 1)
    result = predict(x, discs(x), discs(truth))
    step = 0.2
    changes = []
    for k in range(2):
        offset = torch.zeros(2).double()
        offset[k] = step
        pair = [features(thumbnails(discs(truth + sign * offset))) for sign in (1, -1)]
        changes.append((pair[0] - pair[1]) / (2 * step))
    target_features = features(thumbnails(discs(truth)))
    variance = (target_features - target_features.mean(0)).pow(2).sum(1).mean()
    for k in range(2):
        expected = changes[k].pow(2).sum(1).mean() / variance
        assert result.warm_start.sensitivity[k, k].item() == pytest.approx(expected.item(), rel=0.1)
    both = (changes[0] * changes[1]).sum(1).mean() / variance
    assert result.warm_start.sensitivity[0, 1].item() == pytest.approx(both.item(), abs=0.01)


def test_a_parameter_that_changes_no_picture_is_undetermined():
    x, truth = draw(80, 0, 1.5), draw(40, 1)
    idle = torch.randn(80, 1, generator=torch.Generator().manual_seed(5)).double()
    result = predict(torch.cat((x, idle), 1), discs(x), discs(truth))
    assert result.prediction.explained[2] < 0.2
    assert (result.prediction.explained[:2] > 0.95).all()
    assert (
        result.warm_start.sensitivity[2, 2]
        < 0.01 * result.warm_start.sensitivity[:2, :2].diagonal().min()
    )
