# SPDX-License-Identifier: GPL-3.0-or-later
"""All renders of a run so far, and what has been read off the targets with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .pictures import boxes


class Renders:
    """Pairs of parameters and pictures.

    Attributes
    ----------
    x
        ``(n, K)`` float64, in internal units.
    pictures
        ``(n, 3, T, T)`` uint8 thumbnails.
    boxes
        ``(n, F)`` float64, of :func:`.pictures.boxes`.
    """

    def __init__(self, x: torch.Tensor, pictures: torch.Tensor):
        self.x = x
        self.pictures = pictures
        self.boxes = boxes(pictures)

    def __len__(self) -> int:
        return len(self.x)

    def add(self, x: torch.Tensor, pictures: torch.Tensor) -> None:
        """Take more pairs."""
        self.x = torch.cat((self.x, x))
        self.pictures = torch.cat((self.pictures, pictures))
        self.boxes = torch.cat((self.boxes, boxes(pictures)))


@dataclass
class Prediction:
    """The parameters of every target, as read off its picture.

    Attributes
    ----------
    mean
        ``(N, K)`` float64: of the posterior, under the distribution of the renders that it was
        learnt from.
    covariance
        ``(N, K, K)`` float64.
    prior_mean, prior_variance
        ``(K,)``: that distribution.
    error
        ``(K,)``: the error of a typical prediction, however it was found out.
    told
        ``(K,)``, at most 1: the share of each parameter's variance over renders that their pictures
        tell, found out on renders that were left out; about 0 where they tell nothing.
    """

    mean: torch.Tensor
    covariance: torch.Tensor
    prior_mean: torch.Tensor
    prior_variance: torch.Tensor
    error: torch.Tensor
    told: torch.Tensor

    @property
    def variance(self) -> torch.Tensor:
        """``(N, K)``: of each parameter."""
        return self.covariance.diagonal(dim1=1, dim2=2)

    @property
    def std(self) -> torch.Tensor:
        """``(N, K)``: square root of the variance."""
        return self.variance.sqrt()

    @property
    def spread(self) -> torch.Tensor:
        """``(K,)``: of the predictions over the targets."""
        return self.mean.std(0, unbiased=False).clamp(min=1e-4)

    @property
    def centre(self) -> torch.Tensor:
        """``(K,)``: the median over the targets, which no few misread ones move."""
        return self.mean.median(0).values

    @property
    def scale(self) -> torch.Tensor:
        """``(K,)``: how far from :attr:`centre` targets are believed: their spread (median
        absolute deviation) and uncertainty."""
        deviation = 1.4826 * (self.mean - self.centre).abs().median(0).values
        return (deviation**2 + self.variance.median(0).values).sqrt().clamp(min=1e-4)

    def moved(self, before: Prediction) -> torch.Tensor:
        """Return how far the mean over the targets is from what it was, ``(K,)``.

        In standard deviations of the targets and of what is not known of each, so that a parameter
        of which nothing is known does not count as moving.
        """
        wide = (self.spread**2 + self.variance.mean(0)).sqrt()
        return (self.mean.mean(0) - before.mean.mean(0)).abs() / wide


def moments(x: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weighted mean and variance, ``(K,)`` each, of ``(n, K)``."""
    share = (weights / weights.sum())[:, None]
    mean = (share * x).sum(0)
    return mean, (share * (x - mean) ** 2).sum(0)
