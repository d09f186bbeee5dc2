# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters from levels of pixels, where renders can be like the targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .empirical_bayes import model_weights
from .gaussian_process import GaussianProcess
from .pictures import principal_components
from .renders import Prediction, Renders, moments

COMPONENTS = 64
KEEP = 300
"""Renders that enter the regression, at most: those most like a target."""


def predict(
    renders: Renders, targets: torch.Tensor, before: Prediction | None, width: float
) -> Prediction:
    """Read the parameters of targets ``(N, F)`` off their boxes.

    One Gaussian process a parameter, on principal components of the renders that are most like
    the targets, weighted by what was believed ``before``.
    """
    kept = _most_alike(renders.boxes, targets)
    x = renders.x[kept]
    weights = torch.ones(len(x), dtype=x.dtype)
    if before is not None:
        weights = model_weights(x, before, width)
    near, far = principal_components(renders.boxes[kept], targets, COMPONENTS)
    mean, variance, error, missed = [], [], [], []
    for k in range(x.shape[1]):
        process = GaussianProcess(near, x[:, k], weights)
        m, v = process.predict(far)
        mean.append(m)
        variance.append(v)
        # The median leaves out the few renders that are far from every target.
        left_out = process.leave_one_out()
        missed.append((weights * left_out**2).sum() / weights.sum())
        residual = left_out.abs().median() / 0.6745
        # One target of many may be read worse than all together.
        error.append(torch.stack((residual, v.mean().sqrt(), v.max().sqrt() / 4)).max())
    prior_mean, prior_variance = moments(x, weights)
    return Prediction(
        torch.stack(mean, 1),
        torch.diag_embed(torch.stack(variance, 1)),
        prior_mean,
        prior_variance,
        torch.stack(error),
        1.0 - torch.stack(missed) / prior_variance,
    )


@dataclass(frozen=True)
class Distances:
    """How near renders are to the targets, as distances between boxes; medians over the targets.

    Attributes
    ----------
    nearest
        From a target to the render most like it.
    beyond
        From that render to the one most like it.
    """

    nearest: float
    beyond: float

    @property
    def ratio(self) -> float:
        """How much farther targets are from renders than these from each other.

        About 1 where renders and targets come from the same camera and light, and growing with
        every render near the targets where they do not. It grows as well while renders gather in a
        place where no target is.
        """
        return self.nearest / max(self.beyond, 1e-9)


def distances(renders: Renders, targets: torch.Tensor) -> Distances:
    """Return how near renders are to targets ``(N, F)``, given as boxes."""
    distance = torch.cdist(renders.boxes, targets)
    nearest = distance.argmin(0)
    among = torch.cdist(renders.boxes[nearest], renders.boxes)
    among[torch.arange(len(nearest)), nearest] = torch.inf
    return Distances(distance.min(0).values.median().item(), among.min(1).values.median().item())


def _most_alike(boxes: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return indices of the renders that are among the most alike for some target."""
    count = min(len(boxes), max(64, min(KEEP, len(boxes) // 2)))
    distance = torch.cdist(boxes, targets)
    rank = distance.argsort(0).argsort(0).min(1).values.double()
    nearest = distance.min(1).values
    return (rank + 0.5 * nearest / nearest.max().clamp(min=1e-12)).argsort()[:count]
