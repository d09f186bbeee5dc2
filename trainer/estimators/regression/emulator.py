# SPDX-License-Identifier: GPL-3.0-or-later
"""A Gaussian process from parameters to pictures: a fast stand-in for the renderer.

Several outputs share one kernel over the parameters and differ in their amplitude (Conti &
O'Hagan, *Bayesian emulation of complex multi-output and dynamic computer models*, 2010), so that
one Cholesky factor serves them all. Formulas: Rasmussen & Williams, *Gaussian Processes for Machine
Learning*, MIT Press 2006 (GPML), Algorithm 2.1 and equation 5.12.

Length scales belong to directions rather than to parameters: the eigenvectors of the outputs' mean
square derivative (P. G. Constantine, *Active Subspaces*, SIAM 2015). Parameters that can almost be
exchanged for each other change the outputs much, and their exchange hardly does. A kernel with a
length scale a parameter cannot say so, takes chance for a derivative in that direction, and what is
read off it is drawn towards where renders were made.
"""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from dataclasses import dataclass

import torch

JITTER = 1e-6
ITERATIONS = 30
PRIOR_WEIGHT = 0.05
"""Of the squared distance of the hyper-parameters from their start, in nats."""
OUTPUTS = 4.0
"""Independent outputs that all of them together count for, when the kernel is fitted: neighbouring
principal components of a picture bend alike."""
START = (1.0, 0.0, -5.0)
"""Logarithms: length scales (over the standard deviation of a parameter), amplitude of the linear
part, noise; over an amplitude of 1."""
LINEAR_UNIT = 0.1


@dataclass(frozen=True)
class Emulation:
    """What is expected at some parameters.

    Attributes
    ----------
    mean
        ``(B, C)``.
    jacobian
        ``(B, C, K)``: its derivative.
    variance
        ``(B,)``: of every output, in squared units of its amplitude, without noise.
    """

    mean: torch.Tensor
    jacobian: torch.Tensor
    variance: torch.Tensor


class Emulator:
    """A Matern 5/2 kernel with a length scale a direction, and a linear one.

    Parameters
    ----------
    x
        ``(n, K)`` float64.
    outputs
        ``(n, C)`` float64.
    sensitivity
        ``(K, K)``: the mean square of the outputs' derivative, in any unit, whose eigenvectors are
        the directions; None for those of the parameters.
    theta
        Hyper-parameters ``(K + 2,)`` to begin their search at.

    Attributes
    ----------
    theta
        The hyper-parameters found.
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
        self._share = OUTPUTS * size / size.sum().clamp(min=1e-12)
        self.theta = self._fit(theta)
        self._cholesky = torch.linalg.cholesky(self._covariance(self.theta))
        self._solved = torch.cholesky_solve(self._outputs, self._cholesky)

    @property
    def noise(self) -> float:
        """Variance of the noise, in squared units of an output's amplitude."""
        return self.theta[-1].exp().item() + JITTER

    def predict(self, x: torch.Tensor) -> Emulation:
        """Return what is expected at ``(B, K)`` parameters."""
        lengths, slope = self.theta[:-2].exp(), self.theta[-2].exp() * LINEAR_UNIT
        here = (x - self._centre) @ self._directions / lengths
        known = self._x / lengths
        difference = here[:, None] - known
        r = (5.0 * difference.pow(2).sum(-1) + 1e-12).sqrt()
        decay = torch.exp(-r)
        cross = (1.0 + r + r**2 / 3.0) * decay + slope * (here @ known.T)
        gradient = -(5.0 / 3.0) * ((1.0 + r) * decay)[..., None] * difference + slope * known
        jacobian = torch.einsum("bnk,nc->bck", gradient, self._solved)
        jacobian = jacobian @ (self._directions / lengths).T
        half = torch.linalg.solve_triangular(self._cholesky, cross.T, upper=False)
        variance = 1.0 + slope * here.pow(2).sum(1) - half.pow(2).sum(0)
        return Emulation(self._offset + cross @ self._solved, jacobian, variance.clamp(min=1e-9))

    def leave_one_out(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the others do not foresee of each, and how unsure they are.

        Returns
        -------
        tuple
            Residuals ``(n, C)``; their variance ``(n,)``, with noise, in squared amplitudes.
        """
        variance = 1.0 / torch.cholesky_inverse(self._cholesky).diagonal()
        return self._solved * variance[:, None], variance

    def in_axes(self, axes: torch.Tensor) -> Emulator:
        """Return the same emulator, of outputs times ``axes`` ``(C, C')``."""
        turned = copy.copy(self)
        turned._offset = self._offset @ axes
        turned._solved = self._solved @ axes
        return turned

    def _fit(self, begin: torch.Tensor | None) -> torch.Tensor:
        count = self._x.shape[1]
        start = torch.tensor([START[0]] * count + list(START[1:]), dtype=self._x.dtype)
        theta = (start if begin is None else begin).clone().requires_grad_()
        optimizer = torch.optim.LBFGS([theta], max_iter=ITERATIONS, line_search_fn="strong_wolfe")
        least, best = math.inf, start

        def loss() -> torch.Tensor:
            nonlocal least, best
            optimizer.zero_grad()
            value = self._negative_log_posterior(theta, start)
            value.backward()
            if value.item() < least:
                least, best = value.item(), theta.detach().clone()
            return value

        # A step too far gives a matrix that has no factor; what came before it is good.
        with suppress(torch.linalg.LinAlgError):
            optimizer.step(loss)
        return best

    def _negative_log_posterior(self, theta: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """The amplitudes are those that make the outputs most likely (GPML, section 5.4.1)."""
        cholesky = torch.linalg.cholesky(self._covariance(theta))
        half = torch.linalg.solve_triangular(cholesky, self._outputs, upper=False)
        amplitude = half.pow(2).mean(0).clamp(min=1e-20)
        fit = 0.5 * len(self._x) * (self._share * amplitude.log()).sum()
        fit = fit + OUTPUTS * cholesky.diagonal().log().sum()
        return fit + PRIOR_WEIGHT * ((theta - start) ** 2).sum()

    def _covariance(self, theta: torch.Tensor) -> torch.Tensor:
        x = self._x / theta[:-2].exp()
        products = x @ x.T
        own = products.diagonal()
        squared = (own[:, None] + own - 2.0 * products).clamp(min=0.0)
        # The small number keeps the root's gradient finite at distance zero.
        r = (5.0 * squared + 1e-12).sqrt()
        kernel = (1.0 + r + r**2 / 3.0) * torch.exp(-r)
        kernel = kernel + theta[-2].exp() * LINEAR_UNIT * products
        return kernel + (theta[-1].exp() + JITTER) * torch.eye(len(x), dtype=x.dtype)


def _directions(unit: torch.Tensor, sensitivity: torch.Tensor | None) -> torch.Tensor:
    """Return ``(K, K)``, which takes parameters to coordinates: over ``unit``, then turned."""
    if sensitivity is None:
        return torch.diag(1.0 / unit)
    return torch.linalg.eigh(sensitivity * torch.outer(unit, unit)).eigenvectors / unit[:, None]
