# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is known of each target to the distribution of all of them.

Empirical Bayes: the distribution that makes what was seen of the targets most likely, by
expectation maximisation (Dempster, Laird & Rubin, *Maximum Likelihood from Incomplete Data via the
EM Algorithm*, 1977; for simulators: Louppe et al., *Neural Empirical Bayes*, arXiv 2011.05836).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .renders import Prediction

ITERATIONS = 60
_TAIL = 4.0
"""Degrees of freedom of the distribution that weighs renders."""
SIGNIFICANT = 2.5
"""Correlations smaller than so many standard errors are taken for none."""


@dataclass(frozen=True)
class Population:
    """The normal distribution of the targets' parameters.

    Attributes
    ----------
    mean, std
        ``(K,)``.
    correlation
        ``(K, K)``.
    """

    mean: torch.Tensor
    std: torch.Tensor
    correlation: torch.Tensor

    @classmethod
    def independent(cls, mean: torch.Tensor, std: torch.Tensor) -> Population:
        """Return the one without correlations."""
        return cls(mean, std, torch.eye(len(mean), dtype=mean.dtype))


def population(prediction: Prediction) -> Population:
    """Return the distribution behind the predictions.

    Each prediction is a posterior under the renders' distribution. Divided by that, it is a
    likelihood, normal with its own precision: none where the picture tells nothing, and the
    population then stays what the renders were.
    """
    precision = _likelihood(prediction)
    # Relative to the prior's mean, so that no information leaves everything there.
    away = (prediction.mean - prediction.prior_mean)[..., None]
    information = torch.linalg.solve(prediction.covariance, away)[..., 0]
    information = information + precision @ prediction.prior_mean
    mean = prediction.mean.mean(0)
    centred = prediction.mean - mean
    covariance = centred.T @ centred / len(centred) + prediction.covariance.mean(0)
    for _ in range(ITERATIONS):
        inverse = torch.linalg.inv(covariance)
        posterior = torch.linalg.inv(inverse + precision)
        centres = (posterior @ (information + inverse @ mean)[..., None])[..., 0]
        mean = centres.mean(0)
        centred = centres - mean
        covariance = posterior.mean(0) + centred.T @ centred / len(centred)
        covariance = covariance + 1e-8 * torch.eye(len(mean), dtype=mean.dtype)
    std = covariance.diagonal().sqrt()
    return Population(
        mean,
        std,
        _significant(covariance / std / std[:, None], len(centred)),
    )


def _likelihood(prediction: Prediction) -> torch.Tensor:
    """Return the precision ``(N, K, K)`` with which each picture alone tells its parameters."""
    unit = prediction.prior_variance.sqrt()
    scaled = torch.linalg.inv(prediction.covariance / torch.outer(unit, unit))
    sizes, axes = torch.linalg.eigh(scaled)
    told = (sizes - 1.0).clamp(min=1e-3)
    return axes @ (told[..., None] * axes.transpose(1, 2)) / torch.outer(unit, unit)


def model_weights(x: torch.Tensor, prediction: Prediction, width: float) -> torch.Tensor:
    """Return how much each of ``(n, K)`` renders counts, ``(n,)``, at most 1.

    A render counts by its density under what is believed of the targets: a Student t with 4 degrees
    of freedom around their median, ``width`` times as wide as they spread and are uncertain. So
    pictures that are alike for parameters far from each other (many lobes, seen through few pixels,
    look like few) are read as what fits the other targets.
    """
    distance = (((x - prediction.centre) / (width * prediction.scale)) ** 2).mean(1)
    power = -(_TAIL + x.shape[1]) / 2.0
    return (1.0 + 2.0 * distance / _TAIL).pow(power).clamp(min=1e-4)


def _significant(correlation: torch.Tensor, count: int) -> torch.Tensor:
    """Return the matrix without the entries that chance explains, positive definite."""
    none = torch.eye(len(correlation), dtype=correlation.dtype)
    correlation = correlation.clone().fill_diagonal_(1.0)
    error = (1.0 - correlation**2) / max(1, count - 1) ** 0.5
    kept = torch.where(correlation.abs() > SIGNIFICANT * error, correlation, none)
    if torch.linalg.eigvalsh(kept)[0] < 1e-3:
        kept = correlation
    return 0.999 * kept + 0.001 * none if not torch.equal(kept, none) else none
