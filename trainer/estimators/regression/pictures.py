# SPDX-License-Identifier: GPL-3.0-or-later
"""What the regression sees of a picture."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

EVENING = 0.3
"""Power of their size by which strong components are weakened, so that subtle ones are seen: 0 for
not at all, 1 for all alike."""
THUMBNAIL = 64
"""Pixels along a side, at most, of what is kept of a picture."""
COLOUR = 0.5
"""How much a difference of colour counts, over one of brightness as large: cameras and JPEG keep
colours less exactly. Runs with targets through JPEG (the first 14 of ``benchmarks/convergence``)
stopped after 167 renders on average with 1, and after 124 with 0.5, as after 127 without colour."""
_COLOUR = torch.tensor([[1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]).double()
_COLOUR = _COLOUR / (3.0**0.5 * _COLOUR.norm(dim=1, keepdim=True))
"""Two axes at right angles to brightness (red to blue, magenta to green), as long as its own, which
is a third of each channel."""


def thumbnails(images: np.ndarray) -> torch.Tensor:
    """Return pictures ``(N, 3, T, T)`` uint8 of ``(N, S, S, 3)`` uint8; ``T`` at most 64."""
    levels = torch.from_numpy(images).permute(0, 3, 1, 2)
    if images.shape[1] > THUMBNAIL:
        size = (THUMBNAIL, THUMBNAIL)
        levels = functional.interpolate(levels.float(), size=size, mode="area").round()
    return levels.to(torch.uint8).contiguous()


def boxes(pictures: torch.Tensor) -> torch.Tensor:
    """Return ``(N, F)`` float64 of thumbnails ``(N, 3, T, T)`` uint8.

    Mean brightness, 0 to 1, in a box of a sixteenth of the side at every half box: blurred enough
    for neighbouring shapes to resemble each other, fine enough to tell them apart. Then colour, in
    boxes of twice that size: a thing's hue has fewer edges than its brightness, and so the noise of
    a camera, which differs from channel to channel, makes less of a difference.

    Brightness and the two axes of colour are a rotation of red, green and blue, and a box counts as
    much as the area that it stands for, but colour :data:`COLOUR` times: so the features of
    pictures without colour are as far apart as those of their brightness alone.
    """
    levels = pictures.double() / 255.0
    box = max(2, pictures.shape[-1] // 16)
    fine = functional.avg_pool2d(levels.mean(1, keepdim=True), box, stride=box // 2)
    colour = torch.einsum("ck,nkij->ncij", _COLOUR, levels)
    # A box has four times the area of one of brightness, which is two squared.
    coarse = 2.0 * COLOUR * functional.avg_pool2d(colour, 2 * box, stride=box)
    return torch.cat((fine.flatten(1), coarse.flatten(1)), 1)


def principal_components(
    known: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the coordinates of both on their common principal components.

    Parameters
    ----------
    known, targets
        ``(n, F)`` and ``(N, F)`` float64; a target weighs half as much as a render.
    count
        Components at most; those a thousand times weaker than the first are left out.

    Returns
    -------
    tuple
        ``(n, C)`` and ``(N, C)``.
    """
    rows = torch.cat((known, targets))
    weight = torch.cat((torch.ones(len(known)), torch.full((len(targets),), 0.5))).double()
    centre = (weight[:, None] * rows).sum(0) / weight.sum()
    _, sizes, axes = torch.linalg.svd((rows - centre) * weight.sqrt()[:, None], full_matrices=False)
    strong = int((sizes > 1e-3 * sizes[0]).sum())
    kept = max(1, min(count, strong))
    axes = axes[:kept] * (sizes[:kept, None] / sizes[0]).clamp(min=1e-12) ** -EVENING
    return (known - centre) @ axes.T, (targets - centre) @ axes.T
