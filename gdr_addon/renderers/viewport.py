# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene drawn by Blender's viewport in Solid mode, off screen, into arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import bpy
import gpu
import numpy as np
from mathutils import Matrix

from ...gdr_core.camera import Camera
from ...gdr_core.errors import BadSettings, GdrError
from .context import release_meshes

SAMPLES = {1: "OFF", 5: "5", 8: "8", 11: "11", 16: "16", 32: "32"}
"""``preferences.system.viewport_aa`` by number of samples."""

_RELEASE_AFTER = 128
"""Images between two calls of :func:`.context.release_meshes`."""


class Viewport:
    """Draws ``scene`` as the Solid viewport shows it.

    While it draws it changes settings of a 3D view, and the anti-aliasing in the preferences, and
    puts them back.

    Parameters
    ----------
    scene
        What is drawn.
    camera
        From where.
    samples
        Anti-aliasing samples, one of :data:`SAMPLES`.
    shading
        Settings of ``bpy.types.View3DShading``, over the view's own.

    Raises
    ------
    BadSettings
        Another number of samples.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        camera: Camera,
        samples: int,
        shading: Mapping[str, object],
    ) -> None:
        check_samples(samples)
        self._shading = shading
        self._scene = scene
        self._samples = samples
        self._view, self._projection = (Matrix(matrix.tolist()) for matrix in camera.arrays())
        self._offscreen: gpu.types.GPUOffScreen | None = None
        self._drawn = 0

    @contextmanager
    def open(self, size: int) -> Iterator[Callable[[np.ndarray], None]]:
        """Lend a function that draws the scene as it is into a ``(size, size, 3)`` uint8 array."""
        if self._offscreen is None or self._offscreen.width != size:
            self.free()
            self._offscreen = gpu.types.GPUOffScreen(size, size, format="RGBA8")
        if self._drawn >= _RELEASE_AFTER:
            release_meshes()
            self._drawn = 0
        pixels = np.empty((size, size, 4), dtype=np.uint8)
        buffer = gpu.types.Buffer("UBYTE", pixels.shape, pixels)
        with _solid_view(self._samples, self._shading) as (space, region):

            def draw(image: np.ndarray) -> None:
                self._draw(space, region, buffer)
                image[:] = pixels[::-1, :, :3]

            yield draw

    def free(self) -> None:
        """Give back the picture."""
        if self._offscreen is not None:
            self._offscreen.free()
            self._offscreen = None

    def _draw(self, space: bpy.types.SpaceView3D, region: bpy.types.Region, buffer) -> None:
        layer = self._scene.view_layers[0]
        layer.update()  # Nothing else does, without a window.
        offscreen = self._offscreen
        offscreen.draw_view3d(
            self._scene,
            layer,
            space,
            region,
            self._view,
            self._projection,
            do_color_management=True,
        )
        with offscreen.bind():
            framebuffer = gpu.state.active_framebuffer_get()
            framebuffer.read_color(
                0, 0, offscreen.width, offscreen.height, 4, 0, "UBYTE", data=buffer
            )
        self._drawn += 1


def check_samples(samples: int) -> None:
    """Raise :class:`BadSettings` unless the viewport has that many samples."""
    if samples not in SAMPLES:
        raise BadSettings(
            f"{samples} samples are not offered; choose one of {', '.join(map(str, SAMPLES))}."
        )


@contextmanager
def _solid_view(
    samples: int, wanted_shading: Mapping[str, object]
) -> Iterator[tuple[bpy.types.SpaceView3D, bpy.types.Region]]:
    """Lend a 3D view and its region, set for Solid mode; set back afterwards."""
    space, region = find_view()
    shading = space.shading
    wanted = [
        (shading, "type", "SOLID"),
        *((shading, name, value) for name, value in wanted_shading.items()),
        (space.overlay, "show_overlays", False),
        (space, "show_gizmo", False),
        (bpy.context.preferences.system, "viewport_aa", SAMPLES[samples]),
    ]
    before = []
    try:
        for owner, name, value in wanted:
            old = getattr(owner, name)
            # A vector is a view on what is about to change.
            copy = tuple(old) if hasattr(old, "__len__") and not isinstance(old, str) else old
            before.append((owner, name, copy))
            setattr(owner, name, value)
        yield space, region
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def find_view() -> tuple[bpy.types.SpaceView3D, bpy.types.Region]:
    """Return the first 3D view of the file and its region."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                regions = [region for region in area.regions if region.type == "WINDOW"]
                if regions:
                    return area.spaces.active, regions[0]
    raise GdrError("This file has no 3D view for the Solid renderer to draw with; use Fast.")
