# SPDX-License-Identifier: GPL-3.0-or-later
"""The probability model ``p(z | psi)`` over the optimised parameters.

Each parameter has its own family (:mod:`gdr_core.families`), and the underlying normals may be
correlated (a Gaussian copula: R. B. Nelsen, *An Introduction to Copulas*, 2nd ed., Springer 2006).
``psi`` is the mean and the logarithm of the spread of each underlying normal, so a spread is
positive whatever an optimiser does to it, and their correlation, which an estimator may leave at
none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.distributions import (
    AffineTransform,
    Distribution,
    LogNormal,
    MultivariateNormal,
    Normal,
    SigmoidTransform,
    TransformedDistribution,
)

from gdr_core import families
from gdr_core.settings import RunSettings
from gdr_core.supershape import parameters


class ProbabilityModel(nn.Module):
    """A distribution over ``K`` named parameters, the other ones fixed.

    Parameters
    ----------
    start
        The distribution of each optimised parameter, in the order of the columns of ``z``.
    fixed
        ``(12,)`` values of every parameter; those of optimised ones are ignored
        (:meth:`from_settings` leaves them at their default).

    Attributes
    ----------
    mean, log_std
        ``(K,)`` float32 parameters: ``psi``, with
    correlation
        ``(K, K)`` float32 buffer, of the underlying normals; the identity at the start.
    """

    correlation: torch.Tensor

    def __init__(self, start: Mapping[str, families.Distribution], fixed: np.ndarray):
        super().__init__()
        self.start = dict(start)
        self.names = tuple(self.start)
        self.columns = [parameters.INDEX[name] for name in self.names]
        self.fixed = np.asarray(fixed, dtype=np.float32).copy()
        self.mean = nn.Parameter(torch.tensor([d.mean for d in start.values()]))
        self.log_std = nn.Parameter(torch.tensor([d.std for d in start.values()]).log())
        self.register_buffer("correlation", torch.eye(len(self.names)))

    @classmethod
    def from_settings(cls, settings: RunSettings) -> ProbabilityModel:
        """Build the model that a run starts from."""
        fixed = parameters.from_values(
            {
                name: settings.start_of(name).value
                for name in parameters.NAMES
                if name not in settings.optimised
            }
        )
        start = {name: settings.start_of(name).distribution for name in settings.optimised}
        return cls(start, fixed)

    @property
    def std(self) -> torch.Tensor:
        """Spread of each underlying normal, ``(K,)``, differentiable."""
        return self.log_std.exp()

    def distributions(self) -> list[Distribution]:
        """Return torch's own distribution of each parameter, differentiable in ``psi``."""
        return [
            _torch_distribution(self.start[name], self.mean[k], self.std[k])
            for k, name in enumerate(self.names)
        ]

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw ``z``, ``(n, K)`` float32, on the CPU."""
        u = torch.randn(n, len(self.names), generator=generator)
        if not self._independent:
            u = u @ torch.linalg.cholesky(self.correlation).T
        return self.from_internal(self.mean + self.std * u)

    def from_internal(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``z`` float32 for ``x`` in internal units, both ``(n, K)``."""
        columns = [_from_normal(self.start[name], x[:, k]) for k, name in enumerate(self.names)]
        return torch.stack(columns, dim=1).float()

    def to_internal(self, z: torch.Tensor) -> torch.Tensor:
        """Return ``x`` float64 in internal units for ``z``, both ``(n, K)``."""
        columns = [
            _to_normal(self.start[name], z[:, k].double()) for k, name in enumerate(self.names)
        ]
        return torch.stack(columns, dim=1)

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        """Return ``log p(z | psi)``, ``(n,)``, for ``z`` of shape ``(n, K)``."""
        columns = [d.log_prob(z[:, k]) for k, d in enumerate(self.distributions())]
        independent = torch.stack(columns, dim=1).sum(dim=1)
        if self._independent:
            return independent
        u = (self.to_internal(z).to(self.mean) - self.mean) / self.std
        joint = MultivariateNormal(torch.zeros_like(self.mean), self.correlation)
        return independent + joint.log_prob(u) - Normal(0.0, 1.0).log_prob(u).sum(dim=1)

    @property
    def _independent(self) -> bool:
        return torch.equal(self.correlation, torch.eye(len(self.names)).to(self.correlation))

    def to_parameters(self, z: torch.Tensor) -> np.ndarray:
        """Return all parameters of the shapes ``z``, ``(n, 12)`` float32."""
        batch = np.repeat(self.fixed[None], len(z), axis=0)
        batch[:, self.columns] = z.detach().cpu().numpy()
        return batch

    def current(self) -> dict[str, families.Distribution]:
        """Return each parameter's distribution as it stands."""
        means, stds = self.mean.tolist(), self.std.tolist()
        return {
            name: families.Distribution(
                family=start.family, mean=means[k], std=stds[k], low=start.low, high=start.high
            )
            for k, (name, start) in enumerate(self.start.items())
        }


def _torch_distribution(
    family: families.Distribution, mean: torch.Tensor, std: torch.Tensor
) -> Distribution:
    if family.family == "lognormal":
        return LogNormal(mean, std)
    if family.family == "normal":
        return Normal(mean, std)
    return TransformedDistribution(
        Normal(mean, std),
        [SigmoidTransform(), AffineTransform(family.low, family.high - family.low)],
    )


def _from_normal(family: families.Distribution, x: torch.Tensor) -> torch.Tensor:
    if family.family == "lognormal":
        return x.exp()
    if family.family == "normal":
        return x
    # Kept off the bounds by one rounding step, where the density would be infinite or nan.
    share = torch.sigmoid(x).clamp(1e-6, 1 - 1e-6)
    return family.low + (family.high - family.low) * share


def _to_normal(family: families.Distribution, z: torch.Tensor) -> torch.Tensor:
    if family.family == "lognormal":
        return z.log()
    if family.family == "normal":
        return z
    return torch.logit((z - family.low) / (family.high - family.low), eps=1e-6)
