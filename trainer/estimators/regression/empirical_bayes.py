# SPDX-License-Identifier: GPL-3.0-or-later
"""The population of the targets' parameters, from the posterior of each target.

Empirical Bayes: the population with the largest marginal likelihood, by expectation maximisation
(Dempster, Laird & Rubin, *Maximum Likelihood from Incomplete Data via the EM Algorithm*, 1977; for
simulators: Louppe et al., *Neural Empirical Bayes*, arXiv 2011.05836).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .renders import Prediction

ITERATIONS = 60
_DEGREES_OF_FREEDOM = 4.0
"""Of the Student t distribution that weights renders."""
SIGNIFICANT = 2.5
"""Correlations below so many standard errors are set to zero."""


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
        """Return a population without correlations."""
        return cls(mean, std, torch.eye(len(mean), dtype=mean.dtype))


def estimate_population(prediction: Prediction) -> Population:
    """Return the population behind the predictions.

    Each prediction is a posterior, with the distribution of the renders as prior. Divided by that
    prior, it is a normal likelihood. The precision of the likelihood is zero for an undetermined
    parameter, whose population stays the prior.
    """
    precision = _likelihood(prediction)
    # Relative to the prior's mean, so that the posterior without information is the prior.
    offset = (prediction.mean - prediction.prior_mean)[..., None]
    information = torch.linalg.solve(prediction.covariance, offset)[..., 0]
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
    """Return the precision ``(N, K, K)`` of each target's likelihood."""
    unit = prediction.prior_variance.sqrt()
    scaled = torch.linalg.inv(prediction.covariance / torch.outer(unit, unit))
    sizes, axes = torch.linalg.eigh(scaled)
    gain = (sizes - 1.0).clamp(min=1e-3)
    return axes @ (gain[..., None] * axes.transpose(1, 2)) / torch.outer(unit, unit)


def render_weights(x: torch.Tensor, prediction: Prediction, width: float) -> torch.Tensor:
    """Return the weight of each of ``(n, K)`` renders in a regression, ``(n,)``, at most 1.

    The weight is the density of a Student t distribution with 4 degrees of freedom around the
    median of the predictions, ``width`` times as wide as their spread and uncertainty. It resolves
    pictures that parameters far from each other share (many lobes at few pixels look like few) in
    favour of the parameters that fit the other targets.
    """
    distance = (((x - prediction.centre) / (width * prediction.scale)) ** 2).mean(1)
    power = -(_DEGREES_OF_FREEDOM + x.shape[1]) / 2.0
    return (1.0 + 2.0 * distance / _DEGREES_OF_FREEDOM).pow(power).clamp(min=1e-4)


def _significant(correlation: torch.Tensor, count: int) -> torch.Tensor:
    """Return the matrix with insignificant correlations set to zero, positive definite."""
    identity = torch.eye(len(correlation), dtype=correlation.dtype)
    correlation = correlation.clone().fill_diagonal_(1.0)
    error = (1.0 - correlation**2) / max(1, count - 1) ** 0.5
    kept = torch.where(correlation.abs() > SIGNIFICANT * error, correlation, identity)
    if torch.linalg.eigvalsh(kept)[0] < 1e-3:
        kept = correlation
    return 0.999 * kept + 0.001 * identity if not torch.equal(kept, identity) else identity
