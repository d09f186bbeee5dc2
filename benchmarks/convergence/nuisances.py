# SPDX-License-Identifier: GPL-3.0-or-later
"""What targets are seen through: differences that are none of the scene's parameters.

Only targets go through these; an estimator's renders are clean.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from .scene import Scene

LIGHT = "outdoor.sl"
"""One of Blender's own studio lights: a warm sun from the right and above, a blue sky."""
BACKGROUND = (140, 120, 100)
"""sRGB levels; the renderer's own is a grey of 61."""
GAMMA = 2.2
SHIFT = 2
"""Pixels to the right and down, as of a camera that is a little off."""
NOISE = 8.0
"""Standard deviation in levels, independent for each channel of each pixel."""
QUALITY = 50
"""Of JPEG, with Pillow's default subsampling of the colours."""


def see(
    scene: Scene,
    x: np.ndarray,
    names: Sequence[str],
    through: Sequence[str],
    rng: np.random.Generator,
) -> np.ndarray:
    """Render parameters ``x`` ``(N, K)`` and pass the pictures through what is named.

    Always in the order of a camera: light, background, shift, exposure, noise, JPEG.
    """
    background = BACKGROUND if "background" in through else scene.background
    images = scene.render(x, names, LIGHT if "light" in through else None, background)
    if "shift" in through:
        images = shift(images, background)
    if "exposure" in through:
        images = expose(images)
    if "noise" in through:
        images = add_noise(images, rng)
    if "jpeg" in through:
        images = compress(images)
    return images


def shift(images: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """Move pictures right and down; what comes in is background."""
    moved = np.empty_like(images)
    moved[:] = np.array(background, dtype=np.uint8)
    moved[:, SHIFT:, SHIFT:] = images[:, :-SHIFT, :-SHIFT]
    return moved


def expose(images: np.ndarray) -> np.ndarray:
    """Darken pictures: ``v`` becomes ``v ** 2.2`` on a scale of 0 to 1."""
    return np.round(255.0 * (images / 255.0) ** GAMMA).astype(np.uint8)


def add_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise and clip."""
    noisy = images + rng.normal(0.0, NOISE, images.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def compress(images: np.ndarray) -> np.ndarray:
    """Save and load each picture as JPEG."""
    return np.stack([_through_jpeg(image) for image in images])


def _through_jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=QUALITY)
    return np.asarray(Image.open(file))
