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


def thumbnails(images: np.ndarray) -> torch.Tensor:
    """Return grey pictures ``(N, T, T)`` uint8 of ``(N, S, S, 3)`` uint8; ``T`` at most 64."""
    grey = torch.from_numpy(images.astype(np.float32).mean(-1))[:, None]
    if images.shape[1] > THUMBNAIL:
        grey = functional.interpolate(grey, size=(THUMBNAIL, THUMBNAIL), mode="area")
    return grey[:, 0].round().to(torch.uint8)


def boxes(pictures: torch.Tensor) -> torch.Tensor:
    """Return ``(N, F)`` float64 of thumbnails ``(N, T, T)`` uint8.

    Mean levels, 0 to 1, in a box of a sixteenth of the side at every half box: blurred enough for
    neighbouring shapes to resemble each other, fine enough to tell them apart.
    """
    levels = pictures.double()[:, None] / 255.0
    box = max(2, pictures.shape[1] // 16)
    return functional.avg_pool2d(levels, box, stride=box // 2).flatten(1)


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
