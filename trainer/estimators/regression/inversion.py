# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of a picture, by inverting an emulator of the renderer.

The most probable parameters of each target are found by the method of Levenberg and Marquardt (D.
W. Marquardt, *An Algorithm for Least-Squares Estimation of Nonlinear Parameters*, 1963); their
precision is the Gauss-Newton part of the log-likelihood's curvature (Laplace's approximation).
Emulator, its own error and noise are combined as in M. C. Kennedy & A. O'Hagan, *Bayesian
calibration of computer models*, 2001.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .emulator import Emulator

STEPS = 20


@dataclass(frozen=True)
class Inversion:
    """The parameters of pictures, with their likelihood.

    Attributes
    ----------
    x
        ``(N, K)``: the most probable parameters.
    information
        ``(N, K, K)``: precision of the likelihood.
    residual
        ``(N, C)``: residual of each output, in standard deviations of the expected error.
    jacobian
        ``(N, C, K)``: derivative of the outputs, in the same unit.
    cost
        ``(N,)``: negative logarithm of the posterior density, up to a constant.
    """

    x: torch.Tensor
    information: torch.Tensor
    residual: torch.Tensor
    jacobian: torch.Tensor
    cost: torch.Tensor

    @property
    def misfit(self) -> torch.Tensor:
        """``(N,)``: mean square of the residuals; about 1 is expected."""
        return self.residual.pow(2).mean(1)

    def better(self, other: Inversion) -> Inversion:
        """Return the more probable of two inversions, for each target."""
        first = self.cost <= other.cost

        def choose(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.where(first.view(-1, *[1] * (a.dim() - 1)), a, b)

        return Inversion(**{k: choose(v, getattr(other, k)) for k, v in vars(self).items()})


@dataclass(frozen=True)
class Inverter:
    """Inverts an emulator.

    Attributes
    ----------
    emulator
        The emulator. Its outputs have errors of variance 1 where its own variance is ...
    typical_variance
        ... this.
    noise
        ``(C,)``: additional variance of the targets.
    centre, precision
        ``(K,)`` each: a normal prior, independent for every parameter.
    """

    emulator: Emulator
    typical_variance: float
    noise: torch.Tensor
    centre: torch.Tensor
    precision: torch.Tensor

    def __call__(self, outputs: torch.Tensor, start: torch.Tensor) -> Inversion:
        """Return the parameters of ``(N, C)`` outputs, searched from ``start`` ``(N, K)``."""
        current = self._evaluate(outputs, start)
        damping = torch.full((len(start), 1), 1e-2, dtype=start.dtype)
        for _ in range(STEPS):
            ascent = (current.jacobian.transpose(1, 2) @ current.residual[..., None])[..., 0]
            ascent = ascent - (current.x - self.centre) * self.precision
            curvature = current.information + torch.diag(self.precision)
            damped = curvature + torch.diag_embed(damping * curvature.diagonal(dim1=1, dim2=2))
            candidate = self._evaluate(outputs, current.x + torch.linalg.solve(damped, ascent))
            improved = (candidate.cost < current.cost)[:, None]
            damping = torch.where(improved, damping * 0.3, damping * 4.0).clamp(1e-6, 1e6)
            current = current.better(candidate)
        return current

    def _evaluate(self, outputs: torch.Tensor, x: torch.Tensor) -> Inversion:
        """Return residuals and derivatives at ``x``."""
        emulated = self.emulator.predict(x)
        ratio = (emulated.variance + self.emulator.noise) / self.typical_variance
        variance = ratio[:, None] + self.noise
        deviation = variance.sqrt()
        residual = (outputs - emulated.mean) / deviation
        jacobian = emulated.jacobian / deviation[..., None]
        prior = (self.precision * (x - self.centre) ** 2).sum(1)
        return Inversion(
            x,
            jacobian.transpose(1, 2) @ jacobian,
            residual,
            jacobian,
            0.5 * (residual.pow(2) + variance.log()).sum(1) + 0.5 * prior,
        )
