# SPDX-License-Identifier: GPL-3.0-or-later
"""Renderers: how rows of a scene's parameters become images.

``fast`` is a scene's own, ``solid`` draws one image after another with Blender's viewport, and
``workbench``, ``eevee`` and ``cycles`` render one after another with Blender's engines
(:mod:`.engine`). The latter four set an opened scene (:mod:`gdr_addon.scenes`) to each row and draw
what is there. Another one is a class with the methods of :class:`Renderer` and a line in
:func:`make_renderer`; another engine is a class with those of :class:`.engine.Engine`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...gdr_core import scenes
from ...gdr_core.errors import BadSettings
from ...gdr_core.sampling import settled_samples
from ...gdr_core.scene import Scene
from ...gdr_core.settings import RENDER_DEVICES, RENDERERS
from ..scenes import module


class Renderer(Protocol):
    """What turns rows into images."""

    def render(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Return the images of a batch, each of which depends on its own row alone.

        Parameters
        ----------
        rows
            ``(N, P)``, any ``N`` from 0, with a column for each parameter of the scene.
        size
            Width and height in pixels.

        Returns
        -------
        numpy.ndarray
            ``(N, size, size, 3)`` uint8 sRGB, first row on top.
        """
        ...

    def free(self) -> None:
        """Give back what the renderer holds in Blender and on the GPU; it is not used again."""
        ...


def make_renderer(
    scene: Scene,
    name: str,
    *,
    samples: int | None = None,
    denoise: bool = False,
    device: str = "auto",
) -> Renderer:
    """Return a new renderer; the GPU is made ready if need be.

    Parameters
    ----------
    scene
        What is rendered; its options filled (:func:`gdr_core.scenes.filled`).
    name
        One of :data:`gdr_core.settings.RENDERERS` that can draw it.
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
        No renderer of that name, options of the scene, samples or a device that it cannot use, or
        an engine that this Blender does not have.
    """
    if name not in RENDERERS:
        raise BadSettings(
            f"There is no renderer named {name!r}; choose one of {', '.join(RENDERERS)}."
        )
    scenes.typed_options(scene.name, scene.options).check()
    samples = settled_samples(name, samples)
    if device not in RENDER_DEVICES:
        raise BadSettings(
            f"There is no render device named {device!r}; "
            f"choose one of {', '.join(RENDER_DEVICES)}."
        )
    from .context import ensure_gpu

    ensure_gpu()
    if name == "fast":
        return module(scene.name).fast_renderer(scene, samples)
    columns = len(scene.parameters)
    if name == "solid":
        from .solid import SolidRenderer
        from .viewport import check_samples

        check_samples(samples)  # Before anything is added to the file.
        return SolidRenderer(module(scene.name).open_scene(scene, name), columns, samples)
    from .engine import EngineRenderer

    engine = _engine(name, samples, denoise, device)
    return EngineRenderer(engine, module(scene.name).open_scene(scene, name), columns)


def _engine(name: str, samples: int, denoise: bool, device: str):
    if name == "workbench":
        from .engine_workbench import Workbench

        return Workbench(samples)
    if name == "eevee":
        from .engine_eevee import Eevee

        return Eevee(samples)
    from .engine_cycles import Cycles

    return Cycles(samples, denoise, device)
