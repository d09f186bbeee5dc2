# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own render engines: one render an image, in a scene of our own.

The engines show what a person gets from *Render > Render Image*, with the view transform Standard,
which is plain sRGB. A picture takes a render each, so that they are much slower than
:mod:`.fast`; what they have over it is their light.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import bpy
import numpy as np

from ...gdr_core.camera import Camera
from ..scenes.supershape import look
from ..scenes.supershape.engine_scene import EngineScene
from ..scenes.supershape.points import check_batch, check_lights, drawable_surface
from ..scenes.supershape.random_light import SCENE_LIGHT, studio_of
from .engine_picture import Pictures
from .quiet import quiet


class Engine(Protocol):
    """What is particular to one engine.

    Attributes
    ----------
    label
        What Blender's interface calls it.
    """

    label: str

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose the engine in a new scene of our own, and set it up; or raise GdrError."""
        ...

    def open(self) -> AbstractContextManager[Callable[[look.Studio | None], None]]:
        """Lend a function that lights the scene with a studio, None for Blender's default one."""
        ...

    def free(self) -> None:
        """Remove what was added to the file."""
        ...


class EngineRenderer:
    """Supershapes rendered by an engine; see :class:`gdr_addon.renderers.Renderer`.

    Parameters
    ----------
    engine
        Which one, and how it is set up.
    camera
        The view on every shape; it must be one that a camera object can have.
    grid
        Longitude and latitude resolution.

    Raises
    ------
    GdrError
        The engine, or the camera, cannot be had here.
    """

    def __init__(self, engine: Engine, camera: Camera, grid: tuple[int, int]) -> None:
        self._grid = grid
        self._studio = look.studio()
        self._engine = engine
        self._scene = EngineScene(f"GDR {engine.label}", camera, grid)
        try:
            engine.prepare(self._scene.scene)
        except BaseException:
            self.free()
            raise

    def render(
        self, parameters: np.ndarray, size: int, lights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        parameters = check_batch(parameters, size)
        lights = check_lights(lights, len(parameters)).tolist()
        images = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
        images[:] = look.BACKGROUND_LEVELS
        points, drawable = drawable_surface(parameters, self._grid)
        pictures = Pictures(self._scene.scene, size, self._engine.label)
        with quiet(), pictures as take, self._engine.open() as light:
            for row in np.flatnonzero(drawable):
                self._scene.show(points[row])
                seed = lights[row]
                light(None if seed == SCENE_LIGHT else studio_of(seed, self._studio))
                take(images[row])
        return images

    def free(self) -> None:
        """Remove the scene and all that is in it."""
        self._engine.free()
        self._scene.free()
