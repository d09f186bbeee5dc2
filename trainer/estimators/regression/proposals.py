# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals: the parameters of the next renders."""

from __future__ import annotations

import math

import torch

from .renders import Prediction, Renders

_NEIGHBOURS = 3


class Box:
    """The region that a search begins in, and in which some renders are always drawn.

    Parameters
    ----------
    centre, unit
        ``(K,)`` float64: mean and spread of the start.
    half
        Half its side, in units.
    """

    def __init__(self, centre: torch.Tensor, unit: torch.Tensor, half: float):
        self.centre = centre
        self.unit = unit
        self.half = half

    def cover(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return ``(count, K)`` points that cover the box evenly (a scrambled Sobol sequence)."""
        seed = int(torch.randint(2**31, (), generator=generator))
        sobol = torch.quasirandom.SobolEngine(len(self.unit), scramble=True, seed=seed)
        return self._place(sobol.draw(count, dtype=torch.float64))

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Return ``(count, K)`` independent uniform points."""
        share = torch.rand(count, len(self.unit), generator=generator, dtype=torch.float64)
        return self._place(share)

    def _place(self, share: torch.Tensor) -> torch.Tensor:
        return self.centre + self.half * self.unit * (2.0 * share - 1.0)


def around_targets(
    count: int, prediction: Prediction, jitter: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return ``(count, K)`` draws from the posteriors of random targets, each widened by a normal
    distribution of covariance ``jitter`` ``(K, K)``."""
    chosen = _choose_targets(count, prediction, generator)
    least = 1e-8 * torch.eye(len(jitter), dtype=jitter.dtype)
    factor = torch.linalg.cholesky(prediction.covariance + jitter + least)[chosen]
    noise = _noise(count, prediction, generator)
    return prediction.mean[chosen] + (factor @ noise[..., None])[..., 0]


def jitter_by_sensitivity(
    std: torch.Tensor, sensitivity: torch.Tensor, jitter: float, weak: float, widening: float
) -> torch.Tensor:
    """Return the covariance ``(K, K)`` of proposals around a prediction.

    It is ``jitter`` times as wide as the population, and up to ``widening`` times wider in weak
    directions, because there it takes a larger change of parameters to learn their effect.

    Parameters
    ----------
    std
        ``(K,)``: spreads of the population.
    sensitivity
        ``(K, K)``, see :class:`.reader.Reader`.
    weak
        A direction is weak when a spread along it changes a picture by less than this share of the
        targets' root mean square deviation.
    """
    scale = torch.outer(std, std)
    sizes, axes = torch.linalg.eigh(sensitivity * scale)
    factor = jitter * (weak / sizes.clamp(min=1e-12).sqrt()).clamp(1.0, widening)
    return (axes * factor**2) @ axes.T * scale


def search(
    count: int,
    prediction: Prediction,
    renders: Renders,
    targets: torch.Tensor,
    box: Box,
    jitter: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return ``(count, K)`` points near the targets' parameters while predictions are uncertain.

    There are two estimates of a target's parameters: the prediction, and the parameters of its
    nearest render. The narrower one is used. The width of the second is the spacing of the renders
    around it, so that the search narrows by itself. Spacings are measured in posterior standard
    deviations, so that a well determined parameter does not hide an uncertain one.

    Parameters
    ----------
    targets
        Features ``(N, F)``.
    """
    nearest = torch.cdist(renders.features, targets).argmin(0)
    std, least = prediction.std, (jitter * prediction.spread).clamp(min=0.03)
    reach = torch.minimum(torch.maximum(std, 0.03 * prediction.spread), box.half / 3.0 * box.unit)
    scaled = (renders.x - renders.x[nearest][:, None]) / reach[:, None]
    narrowing = _spacing(scaled.pow(2).sum(-1).sqrt(), nearest).clamp(max=1.0)[:, None]
    in_units = renders.x / box.unit
    resolution = _spacing(torch.cdist(in_units[nearest], in_units), nearest)[:, None] * box.unit
    precise = std < resolution
    local = torch.where(precise, prediction.mean, renders.x[nearest])
    local_spread = torch.maximum(torch.where(precise, std, narrowing * reach), 0.5 * least)
    narrower = narrowing < 1.0
    centre = torch.where(narrower, local, prediction.mean)
    spread = torch.where(narrower, local_spread, torch.maximum(std, least))
    chosen = _choose_targets(count, prediction, generator)
    return centre[chosen] + spread[chosen] * _noise(count, prediction, generator)


def around_nearest(
    count: int, renders: Renders, targets: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return ``(count, K)`` points around the twelfth of the renders nearest to all targets.

    Population Monte Carlo without likelihoods (Beaumont et al., *Adaptive approximate Bayesian
    computation*, 2009). It does not use the predictions, so wrong ones do no harm.
    """
    order = torch.cdist(renders.features, targets).mean(1).argsort()
    centres = renders.x[order[: max(6, len(renders) // 12)]]
    spread = (0.7 * centres.std(0, unbiased=False)).clamp(min=0.014)
    chosen = torch.randint(len(centres), (count,), generator=generator)
    noise = torch.randn(count, centres.shape[1], generator=generator, dtype=torch.float64)
    return centres[chosen] + spread * noise


def _choose_targets(count: int, prediction: Prediction, generator: torch.Generator) -> torch.Tensor:
    """Return random indices of targets, half of them in proportion to their uncertainty."""
    uncertainty = (prediction.variance / prediction.spread**2).sum(1).sqrt()
    weight = 0.5 / len(uncertainty) + 0.5 * uncertainty / uncertainty.sum()
    return torch.multinomial(weight, count, replacement=True, generator=generator)


def _spacing(distance: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return half the distance to the nearest neighbours, ``(N,)``.

    Parameters
    ----------
    distance
        ``(N, n)``.
    own
        ``(N,)``: the column of each row that is the point itself.
    """
    distance = distance.clone()
    distance[torch.arange(len(own)), own] = math.inf
    near = distance.topk(min(_NEIGHBOURS, distance.shape[1] - 1), largest=False).values
    return 0.5 * near.pow(2).mean(1).sqrt()


def _noise(count: int, prediction: Prediction, generator: torch.Generator) -> torch.Tensor:
    shape = (count, prediction.mean.shape[1])
    return torch.randn(shape, generator=generator, dtype=torch.float64)
