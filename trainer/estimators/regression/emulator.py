# SPDX-License-Identifier: GPL-3.0-or-later
"""A Gaussian process from parameters to pictures, as an emulator of the renderer.

Several outputs share one kernel over the parameters and differ in their amplitude (Conti &
O'Hagan, *Bayesian emulation of complex multi-output and dynamic computer models*, 2010), so that
one Cholesky factor serves them all. Formulas: Rasmussen & Williams, *Gaussian Processes for Machine
Learning*, MIT Press 2006 (GPML), Algorithm 2.1 and equation 5.12.

Length scales belong to directions rather than to parameters: the eigenvectors of the outputs' mean
square derivative (P. G. Constantine, *Active Subspaces*, SIAM 2015). Two exchangeable parameters
change the outputs much, and their exchange hardly changes them. A kernel with a length scale for
each parameter cannot express that: it takes chance for a derivative along the exchange, and
inferred parameters are drawn towards the training renders.
"""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from dataclasses import dataclass

import torch

from .kernel import JITTER, matern, matern_distance, matern_slope

ITERATIONS = 30
PRIOR_WEIGHT = 0.05
"""Weight of the squared distance of the hyper-parameters from their start, in nats."""
OUTPUTS = 4.0
"""Number of independent outputs that all of them count for in the fit of the kernel: neighbouring
principal components of a picture vary alike."""
START = (1.0, 0.0, -5.0)
"""Logarithms: length scales (over the standard deviation of a parameter), amplitude of the linear
part, noise; over an amplitude of 1."""
LINEAR_UNIT = 0.1


@dataclass(frozen=True)
class EmulatorOutput:
    """The predicted outputs at some parameters.

    Attributes
    ----------
    mean
        ``(B, C)``.
    jacobian
        ``(B, C, K)``: derivative of the mean.
    variance
        ``(B,)``: of every output, in squared units of its amplitude, without noise.
    """

    mean: torch.Tensor
    jacobian: torch.Tensor
    variance: torch.Tensor


class Emulator:
    """A Gaussian process with a Matern 5/2 and a linear kernel, and a length scale a direction.

    Parameters
    ----------
    x
        ``(n, K)`` float64.
    outputs
        ``(n, C)`` float64.
    sensitivity
        ``(K, K)``: the outputs' mean square derivative, in any unit. Its eigenvectors are the
        directions; None for those of the parameters.
    theta
        Initial hyper-parameters ``(K + 2,)``.

    Attributes
    ----------
    theta
        The fitted hyper-parameters.
    """

    def __init__(
        self,
        x: torch.Tensor,
        outputs: torch.Tensor,
        sensitivity: torch.Tensor | None = None,
        theta: torch.Tensor | None = None,
    ):
        self._centre = x.mean(0)
        self._directions = _directions(x.std(0).clamp(min=1e-9), sensitivity)
        self._x = (x - self._centre) @ self._directions
        self._offset = outputs.mean(0)
        self._outputs = outputs - self._offset
        size = self._outputs.std(0)
        self._weights = OUTPUTS * size / size.sum().clamp(min=1e-12)
        self.theta = self._fit(theta)
        self._cholesky = torch.linalg.cholesky(self._covariance(self.theta))
        self._solved = torch.cholesky_solve(self._outputs, self._cholesky)

    @property
    def noise(self) -> float:
        """Variance of the noise, in squared units of an output's amplitude."""
        return self.theta[-1].exp().item() + JITTER

    def predict(self, x: torch.Tensor) -> EmulatorOutput:
        """Return the outputs at ``(B, K)`` parameters."""
        lengths, slope = self.theta[:-2].exp(), self.theta[-2].exp() * LINEAR_UNIT
        query = (x - self._centre) @ self._directions / lengths
        train = self._x / lengths
        difference = query[:, None] - train
        r = matern_distance(5.0 * difference.pow(2).sum(-1))
        cross = matern(r) + slope * (query @ train.T)
        gradient = -(5.0 / 3.0) * matern_slope(r)[..., None] * difference + slope * train
        jacobian = torch.einsum("bnk,nc->bck", gradient, self._solved)
        jacobian = jacobian @ (self._directions / lengths).T
        half = torch.linalg.solve_triangular(self._cholesky, cross.T, upper=False)
        variance = 1.0 + slope * query.pow(2).sum(1) - half.pow(2).sum(0)
        return EmulatorOutput(
            self._offset + cross @ self._solved, jacobian, variance.clamp(min=1e-9)
        )

    def leave_one_out(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the residuals and variances of leave-one-out predictions.

        Returns
        -------
        tuple
            Residuals ``(n, C)``; their variance ``(n,)``, with noise, in squared amplitudes.
        """
        variance = 1.0 / torch.cholesky_inverse(self._cholesky).diagonal()
        return self._solved * variance[:, None], variance

    def in_axes(self, axes: torch.Tensor) -> Emulator:
        """Return the emulator of the outputs times ``axes`` ``(C, C')``."""
        transformed = copy.copy(self)
        transformed._offset = self._offset @ axes
        transformed._solved = self._solved @ axes
        return transformed

    def _fit(self, initial: torch.Tensor | None) -> torch.Tensor:
        """Return the hyper-parameters of the largest marginal likelihood."""
        count = self._x.shape[1]
        start = torch.tensor([START[0]] * count + list(START[1:]), dtype=self._x.dtype)
        theta = (start if initial is None else initial).clone().requires_grad_()
        optimizer = torch.optim.LBFGS([theta], max_iter=ITERATIONS, line_search_fn="strong_wolfe")
        lowest, best = math.inf, start

        def loss() -> torch.Tensor:
            nonlocal lowest, best
            optimizer.zero_grad()
            value = self._negative_log_posterior(theta, start)
            value.backward()
            if value.item() < lowest:
                lowest, best = value.item(), theta.detach().clone()
            return value

        # After too large a step the covariance has no factor; the best so far is good.
        with suppress(torch.linalg.LinAlgError):
            optimizer.step(loss)
        return best

    def _negative_log_posterior(self, theta: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """Return the loss at the most likely amplitudes (GPML, section 5.4.1)."""
        cholesky = torch.linalg.cholesky(self._covariance(theta))
        half = torch.linalg.solve_triangular(cholesky, self._outputs, upper=False)
        amplitude = half.pow(2).mean(0).clamp(min=1e-20)
        fit = 0.5 * len(self._x) * (self._weights * amplitude.log()).sum()
        fit = fit + OUTPUTS * cholesky.diagonal().log().sum()
        return fit + PRIOR_WEIGHT * ((theta - start) ** 2).sum()

    def _covariance(self, theta: torch.Tensor) -> torch.Tensor:
        x = self._x / theta[:-2].exp()
        products = x @ x.T
        norms = products.diagonal()
        squared = (norms[:, None] + norms - 2.0 * products).clamp(min=0.0)
        kernel = matern(matern_distance(5.0 * squared))
        kernel = kernel + theta[-2].exp() * LINEAR_UNIT * products
        return kernel + (theta[-1].exp() + JITTER) * torch.eye(len(x), dtype=x.dtype)


def _directions(unit: torch.Tensor, sensitivity: torch.Tensor | None) -> torch.Tensor:
    """Return ``(K, K)``, which divides parameters by ``unit`` and rotates them to directions."""
    if sensitivity is None:
        return torch.diag(1.0 / unit)
    return torch.linalg.eigh(sensitivity * torch.outer(unit, unit)).eigenvectors / unit[:, None]
