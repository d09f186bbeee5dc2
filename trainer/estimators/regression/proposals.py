# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to render next."""

from __future__ import annotations

import math

import torch

from .renders import Prediction, Renders

_NEIGHBOURS = 3


class Box:
    """The wide region that a search begins in and never leaves for good.

    Parameters
    ----------
    centre, unit
        ``(K,)`` float64: mean and spread of the start.
    half
        From the centre to a side, in units.
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


def at_targets(
    count: int, prediction: Prediction, around: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return ``(count, K)`` draws from the predictions of random targets, each widened by a normal
    distribution of covariance ``around`` ``(K, K)``."""
    which = _choose(count, prediction, generator)
    least = 1e-8 * torch.eye(len(around), dtype=around.dtype)
    factor = torch.linalg.cholesky(prediction.covariance + around + least)[which]
    noise = _noise(count, prediction, generator)
    return prediction.mean[which] + (factor @ noise[..., None])[..., 0]


def farther_where_hidden(
    std: torch.Tensor, sensitivity: torch.Tensor, jitter: float, seen: float, farthest: float
) -> torch.Tensor:
    """Return a covariance ``(K, K)`` for renders around what is believed of a target.

    ``jitter`` times as wide as the targets spread, ``std`` ``(K,)``, but up to ``farthest`` times
    wider along directions in which a spread changes a picture by less than the share ``seen`` of
    what targets differ by: there it takes more of a change to learn what it does.

    Parameters
    ----------
    sensitivity
        ``(K, K)``, see :class:`.reader.Reader`.
    """
    scale = torch.outer(std, std)
    sizes, axes = torch.linalg.eigh(sensitivity * scale)
    factor = jitter * (seen / sizes.clamp(min=1e-12).sqrt()).clamp(1.0, farthest)
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
    """Return ``(count, K)`` points near the targets' parameters, however little is known yet.

    Two things are believed of a target's parameters: what the regression predicts, and that they
    are near those of the render most like it. The narrower one is used. How far "near" reaches is
    told by how dense renders lie there already, so a search closes in by itself; distances count
    in predicted standard deviations, so that one well-known parameter does not hide that another
    one is not.

    Parameters
    ----------
    targets
        ``(N, F)`` boxes.
    """
    nearest = torch.cdist(renders.boxes, targets).argmin(0)
    std, least = prediction.std, (jitter * prediction.spread).clamp(min=0.03)
    reach = torch.minimum(torch.maximum(std, 0.03 * prediction.spread), box.half / 3.0 * box.unit)
    scaled = (renders.x - renders.x[nearest][:, None]) / reach[:, None]
    narrowing = _spacing(scaled.pow(2).sum(-1).sqrt(), nearest).clamp(max=1.0)[:, None]
    placed = renders.x / box.unit
    resolution = _spacing(torch.cdist(placed[nearest], placed), nearest)[:, None] * box.unit
    known = std < resolution
    alike = torch.where(known, prediction.mean, renders.x[nearest])
    near = torch.maximum(torch.where(known, std, narrowing * reach), 0.5 * least)
    closer = narrowing < 1.0
    centre = torch.where(closer, alike, prediction.mean)
    spread = torch.where(closer, near, torch.maximum(std, least))
    which = _choose(count, prediction, generator)
    return centre[which] + spread[which] * _noise(count, prediction, generator)


def around_best(
    count: int, renders: Renders, targets: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Return ``(count, K)`` points around the twelfth of the renders most like all targets.

    Population Monte Carlo without likelihoods (Beaumont et al., *Adaptive approximate Bayesian
    computation*, 2009): does not depend on the regression, so it cannot be led astray by it.
    """
    best = torch.cdist(renders.boxes, targets).mean(1).argsort()
    centres = renders.x[best[: max(6, len(renders) // 12)]]
    spread = (0.7 * centres.std(0, unbiased=False)).clamp(min=0.014)
    which = torch.randint(len(centres), (count,), generator=generator)
    noise = torch.randn(count, centres.shape[1], generator=generator, dtype=torch.float64)
    return centres[which] + spread * noise


def _choose(count: int, prediction: Prediction, generator: torch.Generator) -> torch.Tensor:
    """Return indices of targets, half of them the more often the less is known."""
    doubt = (prediction.variance / prediction.spread**2).sum(1).sqrt()
    weight = 0.5 / len(doubt) + 0.5 * doubt / doubt.sum()
    return torch.multinomial(weight, count, replacement=True, generator=generator)


def _spacing(distance: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Return half the distance, ``(N,)``, to the nearest neighbours by ``(N, n)`` distances."""
    distance = distance.clone()
    distance[torch.arange(len(own)), own] = math.inf
    near = distance.topk(min(_NEIGHBOURS, distance.shape[1] - 1), largest=False).values
    return 0.5 * near.pow(2).mean(1).sqrt()


def _noise(count: int, prediction: Prediction, generator: torch.Generator) -> torch.Tensor:
    shape = (count, prediction.mean.shape[1])
    return torch.randn(shape, generator=generator, dtype=torch.float64)
