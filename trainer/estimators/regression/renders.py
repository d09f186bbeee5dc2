# SPDX-License-Identifier: GPL-3.0-or-later
"""The renders of a run, and the predicted parameters of the targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .pictures import features


class Renders:
    """Pairs of parameters and pictures.

    Attributes
    ----------
    x
        ``(n, K)`` float64, in internal units.
    pictures
        ``(n, 3, T, T)`` uint8 thumbnails.
    features
        ``(n, F)`` float64, of :func:`.pictures.features`.
    """

    def __init__(self, x: torch.Tensor, pictures: torch.Tensor):
        self.x = x
        self.pictures = pictures
        self.features = features(pictures)

    def __len__(self) -> int:
        return len(self.x)

    def add(self, x: torch.Tensor, pictures: torch.Tensor) -> None:
        """Append pairs."""
        self.x = torch.cat((self.x, x))
        self.pictures = torch.cat((self.pictures, pictures))
        self.features = torch.cat((self.features, features(pictures)))


@dataclass
class Prediction:
    """The posterior of every target's parameters, given its picture.

    Attributes
    ----------
    mean
        ``(N, K)`` float64: posterior mean, with the distribution of the training renders as prior.
    covariance
        ``(N, K, K)`` float64: posterior covariance.
    prior_mean, prior_variance
        ``(K,)``: moments of that prior.
    error
        ``(K,)``: standard error of a typical prediction.
    explained
        ``(K,)``, at most 1: share of each parameter's prior variance that pictures explain; about
        0 for an undetermined parameter.
    """

    mean: torch.Tensor
    covariance: torch.Tensor
    prior_mean: torch.Tensor
    prior_variance: torch.Tensor
    error: torch.Tensor
    explained: torch.Tensor

    @property
    def variance(self) -> torch.Tensor:
        """``(N, K)``: posterior variance of each parameter."""
        return self.covariance.diagonal(dim1=1, dim2=2)

    @property
    def std(self) -> torch.Tensor:
        """``(N, K)``: square root of the variance."""
        return self.variance.sqrt()

    @property
    def spread(self) -> torch.Tensor:
        """``(K,)``: standard deviation of the posterior means over the targets."""
        return self.mean.std(0, unbiased=False).clamp(min=1e-4)

    @property
    def centre(self) -> torch.Tensor:
        """``(K,)``: median of the posterior means, robust against a few wrong ones."""
        return self.mean.median(0).values

    @property
    def scale(self) -> torch.Tensor:
        """``(K,)``: robust spread of the targets around :attr:`centre` (median absolute
        deviation), with their median posterior variance added."""
        deviation = 1.4826 * (self.mean - self.centre).abs().median(0).values
        return (deviation**2 + self.variance.median(0).values).sqrt().clamp(min=1e-4)

    def shift_from(self, previous: Prediction) -> torch.Tensor:
        """Return how far the mean over the targets moved from the previous one, ``(K,)``.

        The unit is the root of the targets' variance and their mean posterior variance, so that an
        undetermined parameter does not count as moving.
        """
        unit = (self.spread**2 + self.variance.mean(0)).sqrt()
        return (self.mean.mean(0) - previous.mean.mean(0)).abs() / unit


def moments(x: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weighted mean and variance, ``(K,)`` each, of ``(n, K)``."""
    share = (weights / weights.sum())[:, None]
    mean = (share * x).sum(0)
    return mean, (share * (x - mean) ** 2).sum(0)
