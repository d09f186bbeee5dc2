# SPDX-License-Identifier: GPL-3.0-or-later
"""Real renders of a few distributions, made once a test session."""

from functools import cache

import msgspec
import numpy as np
import torch

from gdr_core.families import Distribution
from gdr_core.roles import Optimise
from gdr_core.settings import RenderSettings, RunSettings, TrainingSettings
from trainer.estimators.probability_model import ProbabilityModel
from trainer.rendering.open import open_pool

SETTINGS = RunSettings(training=TrainingSettings(size=64), rendering=RenderSettings(workers=1))
_DISTRIBUTIONS = {
    "right": ((2.25, 0.1), (2.25, 0.1), 640),
    "mean off": ((2.35, 0.1), (2.25, 0.1), 256),
    "too wide": ((2.25, 0.2), (2.25, 0.2), 256),
}


@cache
def _all() -> dict[str, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    images = {}
    with open_pool(SETTINGS, lambda: None) as pool:
        for name, (m1, m2, count) in _DISTRIBUTIONS.items():
            normals = {"m1": m1, "m2": m2}
            start = {k: Distribution(mean=mean, std=std) for k, (mean, std) in normals.items()}
            roles = {name: Optimise(distribution=each) for name, each in start.items()}
            sampler = msgspec.structs.replace(SETTINGS, parameters=roles).sampler()
            x = ProbabilityModel(start).sample(count, generator)
            images[name] = pool.render(sampler.rows(x.numpy(), first=0))
    return images


def rendered(name: str) -> np.ndarray:
    """Return ``(N, 64, 64, 3)`` uint8: "right" (640), "mean off" or "too wide" (256 each)."""
    return _all()[name]


def changed(images: np.ndarray, how: str) -> np.ndarray:
    """Return the images under other light ("light") or with noise of three levels ("noise")."""
    if how == "light":
        return np.clip(images * 1.1, 0, 255).round().astype(np.uint8)
    noise = np.random.default_rng(0).normal(0.0, 3.0, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)
