# SPDX-License-Identifier: GPL-3.0-or-later
"""Renderers: how a batch of parameters becomes images.

``fast`` draws a whole batch in one instanced call, ``solid`` draws one image after another with
Blender's own viewport. Another one is a class with the methods of :class:`Renderer` and a line in
:func:`make_renderer`.

What both show:

* sRGB as the viewport shows it in Solid mode: Blender's default studio light, no overlays, no
  outline, the background of its own theme (:mod:`.look`).
* A shape with a parameter or a coordinate that is not finite, or a coordinate beyond
  :data:`.points.LIMIT` (the superformula has poles), is not drawn: its image is background.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...gdr_core.camera import Camera
from ...gdr_core.errors import BadSettings
from ...gdr_core.settings import RENDERERS


class Renderer(Protocol):
    """What turns parameters into images."""

    def render(
        self, parameters: np.ndarray, size: int, lights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the images of a batch.

        Parameters
        ----------
        parameters
            ``(N, 12)`` float32, any ``N`` from 0, in the order of
            :data:`gdr_core.parameters.NAMES`.
        size
            Width and height in pixels.
        lights
            ``(N,)`` uint32, the light of each: 0 for the scene's own, any other number for a
            random one that depends on that number alone (:mod:`.random_light`). None or empty
            for the scene's own throughout.

        Returns
        -------
        numpy.ndarray
            ``(N, size, size, 3)`` uint8, first row on top.
        """
        ...

    def free(self) -> None:
        """Give back what the renderer holds in Blender and on the GPU; it is not used again."""
        ...


def make_renderer(
    name: str,
    *,
    camera: Camera | None = None,
    grid: tuple[int, int] = (50, 50),
    samples: int = 1,
) -> Renderer:
    """Return a new renderer; the GPU is made ready if need be.

    Parameters
    ----------
    name
        One of :data:`gdr_core.settings.RENDERERS`.
    camera
        None for the reference camera.
    grid
        Longitude and latitude resolution of the surface.
    samples
        Anti-aliasing samples of ``solid``; ``fast`` has none and takes no notice.

    Raises
    ------
    BadSettings
        No renderer of that name, or a grid, a camera or samples that it cannot use.
    """
    if name not in RENDERERS:
        raise BadSettings(
            f"There is no renderer named {name!r}; choose one of {', '.join(RENDERERS)}."
        )
    if len(grid) != 2 or not all(8 <= side <= 1000 for side in grid):
        raise BadSettings("The grid must be two whole numbers from 8 to 1000.")
    if camera is None:
        camera = Camera.reference()
    camera.check()
    from .context import ensure_gpu

    ensure_gpu()
    if name == "fast":
        from .fast import FastRenderer

        return FastRenderer(camera, (int(grid[0]), int(grid[1])))
    from .solid import SolidRenderer

    return SolidRenderer(camera, (int(grid[0]), int(grid[1])), samples)
