# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as arrays: contact sheets and files.

Everywhere in the trainer an image batch is ``(N, S, S, 3)`` uint8 sRGB, first row on top.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

SHEET_SIDE = 8


def contact_sheet(images: np.ndarray, gap: int = 2) -> np.ndarray:
    """Lay out up to 64 images in a square grid, 8x8 or as small as holds them all.

    Returns
    -------
    numpy.ndarray
        ``(side * (S + gap) + gap,) * 2 + (3,)`` uint8, black where there is no image.
    """
    side = min(SHEET_SIDE, math.isqrt(max(len(images), 1) - 1) + 1)
    size = images.shape[1]
    step = size + gap
    sheet = np.zeros((side * step + gap, side * step + gap, 3), dtype=np.uint8)
    for index, image in enumerate(images[: side * side]):
        top, left = gap + (index // side) * step, gap + (index % side) * step
        sheet[top : top + size, left : left + size] = image
    return sheet


def save_png(path: Path, image: np.ndarray) -> None:
    """Write one ``(H, W, 3)`` uint8 image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
