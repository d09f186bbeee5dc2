# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of parameters that can be exchanged for each other with little change of the pictures.

The eigenvectors of the pictures' sensitivity to the parameters (the Fisher information, but for
the noise) with small eigenvalues are the directions that pictures hardly show ("sloppy" ones: R. N.
Gutenkunst et al., *Universally sloppy parameter sensitivities in systems biology models*, 2007).
"""

from __future__ import annotations

import torch

from gdr_core.messages import TradeOff

WEAK = 0.15
"""A direction is weak when a spread along it changes a picture by less than this share of the
targets' root mean square deviation."""
ALONE = 2.0
"""Parameters are exchangeable when each alone changes a picture by so many times as much as their
exchange."""
CONNECTED = 0.15
"""Smallest entry between two parameters of a group in the projector on weak directions."""


def find(
    names: tuple[str, ...], sensitivity: torch.Tensor, std: torch.Tensor
) -> tuple[TradeOff, ...]:
    """Return the groups of exchangeable parameters.

    Parameters
    ----------
    sensitivity
        ``(K, K)``, see :class:`.reader.Reader`.
    std
        ``(K,)``: spreads of the population, the unit of change.
    """
    scaled = sensitivity * torch.outer(std, std)
    sizes, axes = torch.linalg.eigh(scaled)
    weak = axes[:, sizes < WEAK**2]
    # However the eigenvectors of like eigenvalues are mixed, their projector shows the groups.
    connected = (weak @ weak.T).abs() > CONNECTED
    trade_offs = []
    for group in _groups(connected):
        if len(group) < 2:
            continue
        sizes, axes = torch.linalg.eigh(scaled[group][:, group])
        change, direction = sizes[0].clamp(min=0.0).sqrt().item(), axes[:, 0]
        alone = scaled.diagonal()[group].sqrt()
        if change >= WEAK or (alone < ALONE * change).any():
            continue
        direction = direction * direction[0].sign()
        trade_offs.append(
            TradeOff({names[k]: d for k, d in zip(group, direction.tolist(), strict=True)}, change)
        )
    return tuple(trade_offs)


def _groups(connected: torch.Tensor) -> list[list[int]]:
    """Return the connected components of a symmetric relation ``(K, K)``."""
    left, groups = list(range(len(connected))), []
    while left:
        group, edge = [], [left.pop(0)]
        while edge:
            group.append(edge.pop())
            edge += [k for k in left if connected[group[-1], k]]
            left = [k for k in left if k not in edge]
        groups.append(sorted(group))
    return groups
