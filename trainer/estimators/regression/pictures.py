# SPDX-License-Identifier: GPL-3.0-or-later
"""The features of a picture for the regression: averages of brightness and colour."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

WHITENING = 0.3
"""Strong components are divided by this power of their size, so that subtle ones count: 0 leaves
all as they are, 1 makes them equally strong."""
THUMBNAIL = 64
"""Largest side of a thumbnail, in pixels."""
COLOUR = 0.5
"""Weight of a difference of colour, over one of brightness as large: cameras and JPEG keep
colours less exactly. Runs with targets through JPEG (the first 14 of ``benchmarks/convergence``)
stopped after 167 renders on average with 1, and after 124 with 0.5, as after 127 without colour."""
_COLOUR = torch.tensor([[1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]).double()
_COLOUR = _COLOUR / (3.0**0.5 * _COLOUR.norm(dim=1, keepdim=True))
"""Two axes at right angles to brightness (red to blue, magenta to green), as long as its own, which
is a third of each channel."""


def thumbnails(images: np.ndarray) -> torch.Tensor:
    """Return images ``(N, S, S, 3)`` uint8 as ``(N, 3, T, T)`` uint8, with ``T`` at most 64."""
    levels = torch.from_numpy(images).permute(0, 3, 1, 2)
    if images.shape[1] > THUMBNAIL:
        size = (THUMBNAIL, THUMBNAIL)
        levels = functional.interpolate(levels.float(), size=size, mode="area").round()
    return levels.to(torch.uint8).contiguous()


def features(pictures: torch.Tensor) -> torch.Tensor:
    """Return the features ``(N, F)`` float64 of thumbnails ``(N, 3, T, T)`` uint8.

    Brightness, 0 to 1, is averaged over squares of a sixteenth of the side, at every half square:
    blurred enough for neighbouring shapes to resemble each other, fine enough to tell them apart.
    Colour is averaged over squares twice as large: it has fewer edges than brightness, and the
    noise of a camera, which differs between channels, then matters less.

    Brightness and the two axes of colour are a rotation of red, green and blue. Each average
    counts by the area that it stands for, and colour :data:`COLOUR` times as much. The distance
    between grey pictures is therefore that of their brightness alone.
    """
    levels = pictures.double() / 255.0
    side = max(2, pictures.shape[-1] // 16)
    fine = functional.avg_pool2d(levels.mean(1, keepdim=True), side, stride=side // 2)
    colour = torch.einsum("ck,nkij->ncij", _COLOUR, levels)
    # A square of colour has four times the area of one of brightness; the factor is the root.
    coarse = 2.0 * COLOUR * functional.avg_pool2d(colour, 2 * side, stride=side)
    return torch.cat((fine.flatten(1), coarse.flatten(1)), 1)


def principal_components(
    renders: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the coordinates of both on their common principal components.

    Parameters
    ----------
    renders, targets
        Features ``(n, F)`` and ``(N, F)`` float64; a target weighs half as much as a render.
    count
        Components at most; those a thousand times weaker than the first are left out.

    Returns
    -------
    tuple
        ``(n, C)`` and ``(N, C)``.
    """
    rows = torch.cat((renders, targets))
    weight = torch.cat((torch.ones(len(renders)), torch.full((len(targets),), 0.5))).double()
    centre = (weight[:, None] * rows).sum(0) / weight.sum()
    _, sizes, axes = torch.linalg.svd((rows - centre) * weight.sqrt()[:, None], full_matrices=False)
    strong = int((sizes > 1e-3 * sizes[0]).sum())
    kept = max(1, min(count, strong))
    axes = axes[:kept] * (sizes[:kept, None] / sizes[0]).clamp(min=1e-12) ** -WHITENING
    return (renders - centre) @ axes.T, (targets - centre) @ axes.T
