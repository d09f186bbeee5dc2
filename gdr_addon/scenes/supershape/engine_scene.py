# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene that an engine renders: one shape, and a camera."""

from __future__ import annotations

from contextlib import suppress

import bpy
import numpy as np

from ....gdr_core.camera import Camera
from . import mesh
from .camera import aim


class EngineScene:
    """A scene of our own, so that nothing of the person's is touched.

    Parameters
    ----------
    name
        Of the data-blocks.
    camera
        The view on the shape.
    grid
        Longitude and latitude resolution.

    Raises
    ------
    BadSettings
        No camera object has such a view.
    """

    def __init__(self, name: str, camera: Camera, grid: tuple[int, int]) -> None:
        self.scene = bpy.data.scenes.new(name)
        self._mesh = mesh.new_mesh(name, grid)
        self._shape = bpy.data.objects.new(name, self._mesh)
        self._lens = bpy.data.cameras.new(name)
        self._camera = bpy.data.objects.new(f"{name} Camera", self._lens)
        try:
            self._fill(camera)
        except BaseException:
            self.free()
            raise

    def show(self, points: np.ndarray) -> None:
        """Give the shape its points, ``(U, V, 3)``."""
        mesh.set_points(self._mesh, points)

    def free(self) -> None:
        """Remove the data-blocks."""
        with suppress(ReferenceError):  # Another file was opened: they are gone already.
            # Lets go of what Cycles kept for the next picture.
            self.scene.render.use_persistent_data = False
            bpy.data.objects.remove(self._camera)
            bpy.data.cameras.remove(self._lens)
            bpy.data.objects.remove(self._shape)
            bpy.data.meshes.remove(self._mesh)
            bpy.data.scenes.remove(self.scene)

    def _fill(self, camera: Camera) -> None:
        scene = self.scene
        scene.collection.objects.link(self._shape)
        scene.collection.objects.link(self._camera)
        scene.camera = self._camera
        aim(scene, self._camera, camera)
        # Plain sRGB: neither Blender's filmic curves nor a noise against banding.
        scene.display_settings.display_device = "sRGB"
        scene.view_settings.view_transform = "Standard"
        scene.view_settings.look = "None"
        scene.render.dither_intensity = 0.0
        # The background is put behind the picture afterwards, so that it is one level exactly and
        # the world is free to be the ambient light.
        scene.render.film_transparent = True
        scene.render.use_compositing = False
        scene.render.use_sequencer = False
