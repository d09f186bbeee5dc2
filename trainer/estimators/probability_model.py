# SPDX-License-Identifier: GPL-3.0-or-later
"""The probability model ``p(x | psi)`` over the optimised parameters, in internal units.

It is a normal distribution. The map of each parameter's family (:mod:`gdr_core.families`) takes it
to values; correlated parameters then have a Gaussian copula (R. B. Nelsen, *An Introduction to
Copulas*, 2nd ed., Springer 2006). ``psi`` is the mean and the logarithm of the spread of each
parameter, so that a spread is always positive, and their correlation, which an estimator may leave
at the identity.

The family's map does not depend on ``psi``, so that the score ``grad_psi log p`` is the same in
internal units as in the parameter's own.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal

from gdr_core.families import Distribution


class ProbabilityModel(nn.Module):
    """A normal distribution of ``K`` named parameters.

    Parameters
    ----------
    start
        The distribution of each parameter, in the order of the columns of ``x``.

    Attributes
    ----------
    mean, log_std
        ``(K,)`` float32 parameters.
    correlation
        ``(K, K)`` float32 buffer; the identity at the start.
    """

    correlation: torch.Tensor

    def __init__(self, start: Mapping[str, Distribution]):
        super().__init__()
        self.start = dict(start)
        self.names = tuple(self.start)
        self.mean = nn.Parameter(torch.tensor([d.mean for d in start.values()]))
        self.log_std = nn.Parameter(torch.tensor([d.std for d in start.values()]).log())
        self.register_buffer("correlation", torch.eye(len(self.names)))

    @property
    def std(self) -> torch.Tensor:
        """Spread of each parameter, ``(K,)``, differentiable."""
        return self.log_std.exp()

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw ``x``, ``(n, K)`` float32, on the CPU."""
        u = torch.randn(n, len(self.names), generator=generator)
        if not self._independent:
            u = u @ torch.linalg.cholesky(self.correlation).T
        return self.mean + self.std * u

    def log_prob(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``log p(x | psi)``, ``(n,)``, for ``x`` of shape ``(n, K)``."""
        if self._independent:
            return Normal(self.mean, self.std).log_prob(x).sum(dim=1)
        covariance = self.std[:, None] * self.correlation * self.std
        return MultivariateNormal(self.mean, covariance).log_prob(x)

    @property
    def _independent(self) -> bool:
        return torch.equal(self.correlation, torch.eye(len(self.names)).to(self.correlation))

    def current(self) -> dict[str, Distribution]:
        """Return the current distribution of each parameter."""
        means, stds = self.mean.tolist(), self.std.tolist()
        return {
            name: msgspec.structs.replace(start, mean=means[k], std=stds[k])
            for k, (name, start) in enumerate(self.start.items())
        }
