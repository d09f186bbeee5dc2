# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fast renderer draws into: a square of tiles, one for each shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gpu
import numpy as np

from .. import look
from .mean import Mean


class Atlas:
    """The pictures that the stages draw.

    Parameters
    ----------
    columns
        Tiles along a side.
    size
        Pixels along an image.
    fold
        Samples along a pixel.

    Attributes
    ----------
    layout
        What it was made with.
    tile
        Samples along a tile.
    places
        What the first stage draws: columns and rows of the surface.
    """

    def __init__(self, columns: int, size: int, fold: int) -> None:
        self.columns = columns
        self.layout = (columns, size, fold)
        self.tile = size * fold
        side = columns * size
        large = (side * fold, side * fold)
        self.places = gpu.types.GPUTexture(large, format="RG32F")
        # A framebuffer does not keep its textures.
        self._depth = gpu.types.GPUTexture(large, format="DEPTH_COMPONENT32F")
        self._samples = gpu.types.GPUTexture(large, format="RGBA8")
        self._surface = gpu.types.GPUFrameBuffer(depth_slot=self._depth, color_slots=(self.places,))
        self._picture = gpu.types.GPUFrameBuffer(
            depth_slot=self._depth, color_slots=(self._samples,)
        )
        self._mean = Mean(self._samples, side, fold) if fold > 1 else None
        self._pixels = np.empty((side, side, 4), dtype=np.uint8)

    @contextmanager
    def bind_places(self) -> Iterator[None]:
        """Have the first stage drawn; its depth says which pixels show a surface."""
        with self._surface.bind():
            self._set_viewport()
            self._surface.clear(color=(0.0, 0.0, 0.0, 0.0), depth=1.0)
            yield

    @contextmanager
    def bind_picture(self) -> Iterator[None]:
        """Have the second stage drawn over the background, where the first one met a surface."""
        with self._picture.bind():
            self._set_viewport()
            self._picture.clear(color=(*look.BACKGROUND, 1.0))
            yield

    def draw_mean(self) -> None:
        """Draw the third stage, if there is one."""
        if self._mean is not None:
            gpu.state.depth_test_set("NONE")
            self._mean.draw()

    def read(self, images: np.ndarray) -> None:
        """Copy the first tiles of the picture into ``(n, size, size, 3)``, first row on top."""
        columns, size = self.columns, images.shape[1]
        rows = -(-len(images) // columns)
        pixels = self._pixels[: rows * size]
        _read(self._picture if self._mean is None else self._mean.framebuffer, pixels)
        # The picture's first row is at the bottom, an image's is on top.
        tiles = pixels.reshape(rows, size, columns, size, 4)[:, ::-1].swapaxes(1, 2)
        for row in range(rows):
            part = images[row * columns : (row + 1) * columns]
            for channel in range(3):  # Three times as fast as all at once.
                part[..., channel] = tiles[row, : len(part), ..., channel]

    def _set_viewport(self) -> None:
        side = self.columns * self.tile
        gpu.state.viewport_set(0, 0, side, side)


def _read(framebuffer: gpu.types.GPUFrameBuffer, pixels: np.ndarray) -> None:
    """Read the framebuffer's first rows into ``(rows, columns, 4)``."""
    buffer = gpu.types.Buffer("UBYTE", pixels.shape, pixels)  # Over the array, no copy.
    with framebuffer.bind():
        framebuffer.read_color(0, 0, pixels.shape[1], len(pixels), 4, 0, "UBYTE", data=buffer)
