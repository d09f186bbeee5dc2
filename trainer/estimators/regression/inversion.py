# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of a picture, by an emulator of the renderer.

For each target, the parameters whose emulated picture is most like it, by the method of Levenberg
and Marquardt (D. W. Marquardt, *An Algorithm for Least-Squares Estimation of Nonlinear Parameters*,
1963), and how sharply it tells them: the Gauss-Newton part of the log-likelihood's curvature
(Laplace's approximation). Emulator, its own error and noise as in M. C. Kennedy & A. O'Hagan,
*Bayesian calibration of computer models*, 2001.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .emulator import Emulator

STEPS = 20


@dataclass(frozen=True)
class Inversion:
    """What pictures tell about their parameters.

    Attributes
    ----------
    x
        ``(N, K)``: the most probable ones.
    information
        ``(N, K, K)``: the precision with which the picture alone tells them.
    residual
        ``(N, C)``: what is left of each output, in standard deviations of the error expected.
    jacobian
        ``(N, C, K)``: of the outputs, over that deviation.
    cost
        ``(N,)``: negative logarithm of the posterior density, but for a constant.
    """

    x: torch.Tensor
    information: torch.Tensor
    residual: torch.Tensor
    jacobian: torch.Tensor
    cost: torch.Tensor

    @property
    def misfit(self) -> torch.Tensor:
        """``(N,)``: mean square of the residuals; about 1 where all is as expected."""
        return self.residual.pow(2).mean(1)

    def better(self, other: Inversion) -> Inversion:
        """Return, for each target, the more probable of two."""
        first = self.cost <= other.cost

        def choose(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.where(first.view(-1, *[1] * (a.dim() - 1)), a, b)

        return Inversion(**{k: choose(v, getattr(other, k)) for k, v in vars(self).items()})


@dataclass(frozen=True)
class Inverter:
    """Finds parameters of pictures.

    Attributes
    ----------
    emulator
        Its outputs have errors of variance 1 where its own variance is ``typical``.
    typical
        See above.
    extra
        ``(C,)``: variance that the targets' own noise adds.
    centre, precision
        ``(K,)`` each: a normal prior, independent in every parameter.
    """

    emulator: Emulator
    typical: float
    extra: torch.Tensor
    centre: torch.Tensor
    precision: torch.Tensor

    def __call__(self, outputs: torch.Tensor, start: torch.Tensor) -> Inversion:
        """Return the parameters of ``(N, C)`` outputs, looked for from ``start`` ``(N, K)``."""
        here = self._at(outputs, start)
        damping = torch.full((len(start), 1), 1e-2, dtype=start.dtype)
        for _ in range(STEPS):
            uphill = (here.jacobian.transpose(1, 2) @ here.residual[..., None])[..., 0]
            uphill = uphill - (here.x - self.centre) * self.precision
            curvature = here.information + torch.diag(self.precision)
            damped = curvature + torch.diag_embed(damping * curvature.diagonal(dim1=1, dim2=2))
            there = self._at(outputs, here.x + torch.linalg.solve(damped, uphill))
            better = (there.cost < here.cost)[:, None]
            damping = torch.where(better, damping * 0.3, damping * 4.0).clamp(1e-6, 1e6)
            here = here.better(there)
        return here

    def _at(self, outputs: torch.Tensor, x: torch.Tensor) -> Inversion:
        emulated = self.emulator.predict(x)
        ratio = (emulated.variance + self.emulator.noise) / self.typical
        variance = ratio[:, None] + self.extra
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
