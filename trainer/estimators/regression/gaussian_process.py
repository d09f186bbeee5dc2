# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian-process regression of one number on a vector of features, with weights.

Formulas: Rasmussen & Williams, *Gaussian Processes for Machine Learning*, MIT Press 2006 (GPML):
prediction and marginal likelihood, Algorithm 2.1; leave-one-out residuals, equation 5.12. A weight
divides an observation's noise variance.

The emulator (:mod:`.emulator`) has no weights, but several outputs, a derivative, and a length
scale for each direction; the two share their kernel (:mod:`.kernel`).
"""

from __future__ import annotations

import torch

from .kernel import JITTER, matern, matern_distance

ITERATIONS = 25
PRIOR_WEIGHT = 0.1
"""Weight of the squared distance of the hyper-parameters from their start, in nats."""
START = (0.7, 0.0, -1.0, -5.0)
"""Logarithms: squared length scale (over the median squared distance), amplitude of the Matern
part, amplitude of the linear part, noise; all for an output of variance 1."""


class GaussianProcess:
    """Gaussian process with a Matern 5/2 and a linear kernel, fitted by marginal likelihood.

    Parameters
    ----------
    features
        ``(N, D)`` float64, ``N`` at least 2.
    values
        ``(N,)`` float64.
    weights
        ``(N,)`` float64, positive: weight of each observation; 1 is full weight.
    """

    def __init__(self, features: torch.Tensor, values: torch.Tensor, weights: torch.Tensor):
        self._features = features
        self._weights = weights
        self._mean = (weights * values).sum() / weights.sum()
        variance = (weights * (values - self._mean) ** 2).sum() / weights.sum()
        self._scale = variance.sqrt().clamp(min=1e-9)
        self._values = (values - self._mean) / self._scale
        self._linear_unit = (features**2).sum(1).mean().clamp(min=1e-12)
        squared = torch.cdist(features, features) ** 2
        positive = squared[squared > 0]
        self._median = positive.median() if len(positive) else torch.ones((), dtype=features.dtype)
        self._theta = self._fit(squared)
        self._cholesky = torch.linalg.cholesky(self._covariance(self._theta, squared))
        self._solved = torch.cholesky_solve(self._values[:, None], self._cholesky)[:, 0]

    def predict(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance of a new observation, each ``(M,)``, for ``(M, D)``.

        The variance contains the noise: the part of the value that features do not explain.
        """
        _, amplitude, slope, noise = self._theta.exp()
        squared = torch.cdist(features, self._features) ** 2
        cross = self._kernel(self._theta, squared, features @ self._features.T)
        prior = amplitude + slope * (features**2).sum(1) / self._linear_unit
        solved = torch.cholesky_solve(cross.T, self._cholesky)
        variance = noise + (prior - (cross * solved.T).sum(1)).clamp(min=1e-10)
        return self._mean + self._scale * (cross @ self._solved), self._scale**2 * variance

    def leave_one_out(self) -> torch.Tensor:
        """Return the residuals ``(N,)`` of leave-one-out predictions."""
        inverse = torch.cholesky_inverse(self._cholesky)
        return self._scale * self._solved / inverse.diagonal()

    def _fit(self, squared: torch.Tensor) -> torch.Tensor:
        start = torch.tensor(START, dtype=squared.dtype)
        theta = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS([theta], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = self._negative_log_posterior(theta, start, squared)
            value.backward()
            return value

        try:
            optimizer.step(loss)
        except torch.linalg.LinAlgError:
            return start
        return theta.detach() if theta.isfinite().all() else start

    def _negative_log_posterior(
        self, theta: torch.Tensor, start: torch.Tensor, squared: torch.Tensor
    ) -> torch.Tensor:
        cholesky = torch.linalg.cholesky(self._covariance(theta, squared))
        solved = torch.cholesky_solve(self._values[:, None], cholesky)[:, 0]
        fit = 0.5 * self._values @ solved + cholesky.diagonal().log().sum()
        return fit + PRIOR_WEIGHT * ((theta - start) ** 2).sum()

    def _covariance(self, theta: torch.Tensor, squared: torch.Tensor) -> torch.Tensor:
        kernel = self._kernel(theta, squared, self._features @ self._features.T)
        noise = theta[3].exp() + JITTER
        return kernel + torch.diag(noise / self._weights)

    def _kernel(
        self, theta: torch.Tensor, squared: torch.Tensor, products: torch.Tensor
    ) -> torch.Tensor:
        length, amplitude, slope, _ = theta.exp()
        r = matern_distance(5.0 * squared / (length * self._median))
        return amplitude * matern(r) + slope * products / self._linear_unit
