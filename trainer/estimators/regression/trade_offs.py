# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parameters can be exchanged for each other without changing the pictures much.

The eigenvectors of the pictures' sensitivity to the parameters (the Fisher information, but for
the noise) tell which directions in the space of parameters the pictures hardly show ("sloppy"
ones: R. N. Gutenkunst et al., *Universally sloppy parameter sensitivities in systems biology
models*, 2007).
"""

from __future__ import annotations

import torch

from gdr_core.messages import TradeOff

HARDLY = 0.15
"""A direction is hardly seen when a spread along it changes a picture by less than this share of
what targets differ by."""
ALONE = 2.0
"""And its parameters can be exchanged when each alone changes it by so many times as much."""
TAKES_PART = 0.15
"""Least entry between two parameters in the projector on what is hardly seen."""


def find(
    names: tuple[str, ...], sensitivity: torch.Tensor, std: torch.Tensor
) -> tuple[TradeOff, ...]:
    """Return the groups of parameters that can be exchanged.

    Parameters
    ----------
    sensitivity
        ``(K, K)``, see :class:`.reader.Reader`.
    std
        ``(K,)``: spreads of the result, the unit of change.
    """
    scaled = sensitivity * torch.outer(std, std)
    sizes, axes = torch.linalg.eigh(scaled)
    hidden = axes[:, sizes < HARDLY**2]
    # However the eigenvectors of like eigenvalues are mixed, their projector shows the groups.
    together = (hidden @ hidden.T).abs() > TAKES_PART
    found = []
    for group in _groups(together):
        if len(group) < 2:
            continue
        sizes, axes = torch.linalg.eigh(scaled[group][:, group])
        change, way = sizes[0].clamp(min=0.0).sqrt().item(), axes[:, 0]
        alone = scaled.diagonal()[group].sqrt()
        if change >= HARDLY or (alone < ALONE * change).any():
            continue
        way = way * way[0].sign()
        found.append(
            TradeOff({names[k]: w for k, w in zip(group, way.tolist(), strict=True)}, change)
        )
    return tuple(found)


def _groups(together: torch.Tensor) -> list[list[int]]:
    """Return the connected components of a symmetric relation ``(K, K)``."""
    left, groups = list(range(len(together))), []
    while left:
        group, edge = [], [left.pop(0)]
        while edge:
            group.append(edge.pop())
            edge += [k for k in left if together[group[-1], k]]
            left = [k for k in left if k not in edge]
        groups.append(sorted(group))
    return groups
