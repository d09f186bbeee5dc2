# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's way: one viewport draw an image, in Blender's own Solid mode.

Slower than a scene's ``fast`` renderer, and Blender's very own picture: what ``fast`` is measured
against.
"""

from __future__ import annotations

import numpy as np

from ..scenes import OpenedScene
from .rows import check_rows
from .viewport import Viewport


class SolidRenderer:
    """A scene drawn by Blender's viewport; see :class:`gdr_addon.renderers.Renderer`.

    Parameters
    ----------
    opened
        The scene, which the renderer closes when it is freed.
    columns
        Of a row.
    samples
        Anti-aliasing samples, one of :data:`.viewport.SAMPLES`.
    """

    def __init__(self, opened: OpenedScene, columns: int, samples: int = 1) -> None:
        self._opened = opened
        self._columns = columns
        try:
            self._viewport = Viewport(opened.scene, opened.camera, samples, opened.viewport_shading)
        except BaseException:
            opened.close()
            raise

    def render(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        rows = check_rows(rows, self._columns, size)
        images = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        if not len(rows):
            return images
        with self._viewport.open(size) as draw, self._opened.setting() as set_row:
            for image, row in zip(images, rows, strict=True):
                set_row(row)
                draw(image)
        return images

    def free(self) -> None:
        """Close the scene, and give back the picture."""
        self._viewport.free()
        self._opened.close()
