# SPDX-License-Identifier: GPL-3.0-or-later
"""The Matern kernel that both Gaussian processes use.

Rasmussen & Williams, *Gaussian Processes for Machine Learning*, MIT Press 2006, equation 4.17.
"""

from __future__ import annotations

import torch

JITTER = 1e-6
"""Added to the variance of the noise, so that every covariance has a Cholesky factor."""


def matern_distance(squared: torch.Tensor) -> torch.Tensor:
    """Return the argument of the kernel, ``sqrt(5) d / l``, of its square ``5 d^2 / l^2``."""
    # The small number keeps the root's gradient finite at distance zero.
    return (squared + 1e-12).sqrt()


def matern(r: torch.Tensor) -> torch.Tensor:
    """Return the Matern 5/2 kernel of :func:`matern_distance`."""
    return (1.0 + r + r**2 / 3.0) * torch.exp(-r)


def matern_slope(r: torch.Tensor) -> torch.Tensor:
    """Return ``s`` of the kernel's gradient ``-5/3 s d / l`` with respect to ``d / l``."""
    return (1.0 + r) * torch.exp(-r)
