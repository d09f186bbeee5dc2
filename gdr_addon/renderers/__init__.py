# SPDX-License-Identifier: GPL-3.0-or-later
"""Renderers: how a batch of parameters becomes images.

``fast`` draws a whole batch in a few calls, ``solid`` draws one image after another with
Blender's own viewport, ``workbench``, ``eevee`` and ``cycles`` render one after another with
Blender's engines (:mod:`.engine`). Another one is a class with the methods of :class:`Renderer` and
a line in :func:`make_renderer`; another engine is a class with those of :class:`.engine.Engine`.

What all show:

* sRGB: colours as the viewport shows them in Solid mode, or as a render does with the view
  transform Standard.
* The light of Blender's default studio, or for ``eevee`` and ``cycles`` suns in its place
  (:mod:`.engine_lights`), no overlays, no outline, the background of Blender's own theme
  (:mod:`.look`).
* A shape with a parameter or a coordinate that is not finite, or a coordinate beyond
  :data:`.points.LIMIT` (the superformula has poles), is not drawn: its image is background.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...gdr_core.camera import Camera
from ...gdr_core.errors import BadSettings
from ...gdr_core.sampling import settled_samples
from ...gdr_core.settings import RENDER_DEVICES, RENDERERS
from ...gdr_core.supershape.resolution import check_grid


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
            :data:`gdr_core.supershape.parameters.NAMES`.
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
    samples: int | None = None,
    denoise: bool = False,
    device: str = "auto",
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
        Samples a pixel, as :data:`gdr_core.sampling.SAMPLES` has them; None for the renderer's
        own number.
    denoise
        Whether ``cycles`` denoises.
    device
        What ``cycles`` renders on, one of :data:`gdr_core.settings.RENDER_DEVICES`.

    Raises
    ------
    BadSettings
        No renderer of that name, a grid, a camera, samples or a device that it cannot use, or an
        engine that this Blender does not have.
    """
    if name not in RENDERERS:
        raise BadSettings(
            f"There is no renderer named {name!r}; choose one of {', '.join(RENDERERS)}."
        )
    check_grid(grid)
    if camera is None:
        camera = Camera.reference()
    camera.check()
    grid = (int(grid[0]), int(grid[1]))
    samples = settled_samples(name, samples)
    if device not in RENDER_DEVICES:
        raise BadSettings(
            f"There is no render device named {device!r}; "
            f"choose one of {', '.join(RENDER_DEVICES)}."
        )
    from .context import ensure_gpu

    ensure_gpu()
    if name == "fast":
        from ..scenes.supershape.fast.renderer import FastRenderer

        return FastRenderer(camera, grid, samples)
    if name == "solid":
        from .solid import SolidRenderer

        return SolidRenderer(camera, grid, samples)
    from .engine import EngineRenderer

    return EngineRenderer(_engine(name, samples, denoise, device), camera, grid)


def _engine(name: str, samples: int, denoise: bool, device: str):
    if name == "workbench":
        from .engine_workbench import Workbench

        return Workbench(samples)
    if name == "eevee":
        from .engine_eevee import Eevee

        return Eevee(samples)
    from .engine_cycles import Cycles

    return Cycles(samples, denoise, device)
