# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's way: one viewport draw an image, in Blender's own Solid mode.

Slower than :mod:`.fast` by far, and Blender's very own picture: what ``fast`` is measured against.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import bpy
import gpu
import numpy as np
from mathutils import Matrix

from ...gdr_core.camera import Camera
from ...gdr_core.errors import BadSettings, GdrError
from .. import supershape_mesh
from . import look
from .points import check_batch, drawable_surface

SAMPLES = {1: "OFF", 5: "5", 8: "8", 11: "11", 16: "16", 32: "32"}
"""``preferences.system.viewport_aa`` by number of samples."""

_NAME = "GDR Solid"


class SolidRenderer:
    """Supershapes drawn by Blender's viewport; see :class:`gdr_addon.renderers.Renderer`.

    It keeps a scene of its own with the mesh in it. While it draws it changes settings of a 3D
    view and the anti-aliasing in the preferences, and puts them back.

    Parameters
    ----------
    camera
        The view on every shape.
    grid
        Longitude and latitude resolution.
    samples
        Anti-aliasing samples, one of :data:`SAMPLES`.
    """

    def __init__(self, camera: Camera, grid: tuple[int, int], samples: int = 1) -> None:
        if samples not in SAMPLES:
            raise BadSettings(
                f"{samples} samples are not offered; choose one of {', '.join(map(str, SAMPLES))}."
            )
        self._grid = grid
        self._samples = samples
        self._view, self._projection = (Matrix(matrix.tolist()) for matrix in camera.arrays())
        self._scene = bpy.data.scenes.new(_NAME)
        self._scene.display_settings.display_device = "sRGB"
        self._scene.view_settings.view_transform = "Standard"
        self._mesh = supershape_mesh.new_mesh(_NAME, grid)
        self._object = bpy.data.objects.new(_NAME, self._mesh)
        self._scene.collection.objects.link(self._object)
        self._offscreen: gpu.types.GPUOffScreen | None = None

    def render(self, parameters: np.ndarray, size: int) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        parameters = check_batch(parameters, size)
        images = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
        if not len(parameters):
            return images
        if self._offscreen is None or self._offscreen.width != size:
            if self._offscreen is not None:
                self._offscreen.free()
            self._offscreen = gpu.types.GPUOffScreen(size, size, format="RGBA8")
        points, drawable = drawable_surface(parameters, self._grid)
        pixels = np.empty((size, size, 4), dtype=np.uint8)
        buffer = gpu.types.Buffer("UBYTE", pixels.shape, pixels)
        with _solid_view(self._samples) as (space, region):
            for image, shape, visible in zip(images, points, drawable, strict=True):
                self._draw(space, region, shape, bool(visible), buffer)
                image[:] = pixels[::-1, :, :3]
        return images

    def free(self) -> None:
        """Remove the scene and the mesh, and give back the picture."""
        if self._offscreen is not None:
            self._offscreen.free()
            self._offscreen = None
        with suppress(ReferenceError):  # Another file was opened: they are gone already.
            bpy.data.objects.remove(self._object)
            bpy.data.meshes.remove(self._mesh)
            bpy.data.scenes.remove(self._scene)

    def _draw(self, space, region, points: np.ndarray, visible: bool, buffer) -> None:
        supershape_mesh.set_points(self._mesh, points)
        if self._object.hide_viewport == visible:
            self._object.hide_viewport = not visible
        layer = self._scene.view_layers[0]
        layer.update()  # Nothing else does, without a window.
        self._offscreen.draw_view3d(
            self._scene,
            layer,
            space,
            region,
            self._view,
            self._projection,
            do_color_management=True,
        )
        with self._offscreen.bind():
            framebuffer = gpu.state.active_framebuffer_get()
            size = self._offscreen.width
            framebuffer.read_color(0, 0, size, size, 4, 0, "UBYTE", data=buffer)


@contextmanager
def _solid_view(samples: int) -> Iterator[tuple[bpy.types.SpaceView3D, bpy.types.Region]]:
    """Lend a 3D view and its region, set for Solid mode; set back afterwards."""
    space, region = _find_view()
    shading = space.shading
    wanted = [
        (shading, "type", "SOLID"),
        (shading, "light", "STUDIO"),
        (shading, "studio_light", look.STUDIO_LIGHT),
        (shading, "use_world_space_lighting", False),
        (shading, "show_specular_highlight", True),
        (shading, "color_type", "MATERIAL"),
        (shading, "background_type", "VIEWPORT"),
        (shading, "background_color", look.background_setting()),
        (shading, "show_backface_culling", False),
        (shading, "show_xray", False),
        (shading, "show_shadows", False),
        (shading, "show_cavity", False),
        (shading, "use_dof", False),
        (shading, "show_object_outline", look.OUTLINE),
        (space.overlay, "show_overlays", False),
        (space, "show_gizmo", False),
        (bpy.context.preferences.system, "viewport_aa", SAMPLES[samples]),
    ]
    before = []
    try:
        for owner, name, value in wanted:
            old = getattr(owner, name)
            before.append((owner, name, old if isinstance(old, (str, bool)) else tuple(old)))
            setattr(owner, name, value)
        yield space, region
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


def _find_view() -> tuple[bpy.types.SpaceView3D, bpy.types.Region]:
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                regions = [region for region in area.regions if region.type == "WINDOW"]
                if regions:
                    return area.spaces.active, regions[0]
    raise GdrError("This file has no 3D view for the Solid renderer to draw with; use Fast.")
