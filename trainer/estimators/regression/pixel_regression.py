# SPDX-License-Identifier: GPL-3.0-or-later
"""Regression of parameters on pixels, and the distances between renders and targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .empirical_bayes import render_weights
from .gaussian_process import GaussianProcess
from .pictures import principal_components
from .renders import Prediction, Renders, moments

COMPONENTS = 64
KEEP = 300
"""Renders in the regression, at most: those nearest to a target."""


def predict(
    renders: Renders, targets: torch.Tensor, previous: Prediction | None, width: float
) -> Prediction:
    """Return the posterior of the targets' parameters.

    One Gaussian process for each parameter, on the principal components of the nearest renders.

    Parameters
    ----------
    targets
        Features ``(N, F)``.
    previous
        The prediction that weights the renders (:func:`.empirical_bayes.render_weights`).
    width
        See :func:`.empirical_bayes.render_weights`.
    """
    kept = _nearest(renders.features, targets)
    x = renders.x[kept]
    weights = torch.ones(len(x), dtype=x.dtype)
    if previous is not None:
        weights = render_weights(x, previous, width)
    inputs, queries = principal_components(renders.features[kept], targets, COMPONENTS)
    means, variances, errors, unexplained = [], [], [], []
    for k in range(x.shape[1]):
        process = GaussianProcess(inputs, x[:, k], weights)
        mean, variance = process.predict(queries)
        means.append(mean)
        variances.append(variance)
        residual = process.leave_one_out()
        unexplained.append((weights * residual**2).sum() / weights.sum())
        # The median is robust against the few renders that are far from every target.
        typical = residual.abs().median() / 0.6745
        # The last term: one target may be predicted far worse than all others.
        errors.append(
            torch.stack((typical, variance.mean().sqrt(), variance.max().sqrt() / 4)).max()
        )
    prior_mean, prior_variance = moments(x, weights)
    return Prediction(
        torch.stack(means, 1),
        torch.diag_embed(torch.stack(variances, 1)),
        prior_mean,
        prior_variance,
        torch.stack(errors),
        1.0 - torch.stack(unexplained) / prior_variance,
    )


@dataclass(frozen=True)
class Distances:
    """Distances between features, as medians over the targets.

    Attributes
    ----------
    nearest
        From a target to its nearest render.
    between
        From that render to its own nearest render.
    """

    nearest: float
    between: float

    @property
    def ratio(self) -> float:
        """Distance of targets from renders, over the distance between renders.

        About 1 with the same camera and light; otherwise it grows with every render near the
        targets. It grows as well while renders gather in a wrong place.
        """
        return self.nearest / max(self.between, 1e-9)


def distances(renders: Renders, targets: torch.Tensor) -> Distances:
    """Return the distances of renders and targets, with features ``(N, F)``."""
    distance = torch.cdist(renders.features, targets)
    nearest = distance.argmin(0)
    between = torch.cdist(renders.features[nearest], renders.features)
    between[torch.arange(len(nearest)), nearest] = torch.inf
    return Distances(distance.min(0).values.median().item(), between.min(1).values.median().item())


def _nearest(features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the indices of the renders that are among the nearest to some target."""
    count = min(len(features), max(64, min(KEEP, len(features) // 2)))
    distance = torch.cdist(features, targets)
    rank = distance.argsort(0).argsort(0).min(1).values.double()
    nearest = distance.min(1).values
    return (rank + 0.5 * nearest / nearest.max().clamp(min=1e-12)).argsort()[:count]
