# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's way: one viewport draw an image, in Blender's own Solid mode.

Slower than :mod:`.fast`, and Blender's very own picture: what ``fast`` is measured against.
"""

from __future__ import annotations

from contextlib import suppress

import bpy
import numpy as np

from ...gdr_core.camera import Camera
from ..scenes.supershape import look, mesh
from ..scenes.supershape.points import check_batch, check_lights, drawable_surface
from ..scenes.supershape.random_light import SCENE_LIGHT, studio_of
from .viewport import Viewport, check_samples

_NAME = "GDR Solid"


class SolidRenderer:
    """Supershapes drawn by Blender's viewport; see :class:`gdr_addon.renderers.Renderer`.

    It keeps a scene of its own with the mesh in it.

    Parameters
    ----------
    camera
        The view on every shape.
    grid
        Longitude and latitude resolution.
    samples
        Anti-aliasing samples, one of :data:`.viewport.SAMPLES`.
    """

    def __init__(self, camera: Camera, grid: tuple[int, int], samples: int = 1) -> None:
        check_samples(samples)  # Before anything is added to the file.
        self._grid = grid
        self._studio = look.studio()
        self._scene = bpy.data.scenes.new(_NAME)
        self._mesh = mesh.new_mesh(_NAME, grid)
        self._object = bpy.data.objects.new(_NAME, self._mesh)
        self._scene.collection.objects.link(self._object)
        self._viewport = Viewport(self._scene, camera, samples)

    def render(
        self, parameters: np.ndarray, size: int, lights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        parameters = check_batch(parameters, size)
        lights = check_lights(lights, len(parameters)).tolist()
        images = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
        if not len(parameters):
            return images
        points, drawable = drawable_surface(parameters, self._grid)
        with self._viewport.open(size) as draw:
            for image, shape, visible, seed in zip(images, points, drawable, lights, strict=True):
                mesh.set_points(self._mesh, shape)
                if self._object.hide_viewport == bool(visible):
                    self._object.hide_viewport = not visible
                draw(image, None if seed == SCENE_LIGHT else studio_of(seed, self._studio))
        return images

    def free(self) -> None:
        """Remove the scene and the mesh, and give back the picture."""
        self._viewport.free()
        with suppress(ReferenceError):  # Another file was opened: they are gone already.
            bpy.data.objects.remove(self._object)
            bpy.data.meshes.remove(self._mesh)
            bpy.data.scenes.remove(self._scene)
