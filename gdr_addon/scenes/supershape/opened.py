# SPDX-License-Identifier: GPL-3.0-or-later
"""The supershape as a scene of our own: one shape, its light, and a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import bpy
import numpy as np

from ....gdr_core.supershape.scene import SupershapeOptions
from ....gdr_core.supershape.view import reference_camera
from . import look, mesh
from .camera import aim
from .lamps import StudioLamps
from .points import drawable_surface, split
from .random_light import SCENE_LIGHT, studio_of
from .studio_lights import editable_studio

_NAME = "GDR Supershape Render"


class OpenedSupershape:
    """A scene of our own, so that nothing of the person's is touched; see :class:`.OpenedScene`.

    Parameters
    ----------
    options
        Filled.
    renderer
        The renderer that will draw it: for Blender's engines the camera is an object, and for those
        that know nothing of Solid mode the studio's lights are lamps.

    Raises
    ------
    BadSettings
        No camera object has such a view.
    """

    background = look.BACKGROUND_LEVELS

    def __init__(self, options: SupershapeOptions, renderer: str) -> None:
        self.camera = options.camera or reference_camera()
        self.viewport_shading = look.viewport_shading()
        self._grid = options.grid
        self._studio = look.studio()
        self.scene = bpy.data.scenes.new(_NAME)
        self._mesh = mesh.new_mesh(_NAME, self._grid)
        self._shape = bpy.data.objects.new(_NAME, self._mesh)
        self._lens = bpy.data.cameras.new(_NAME)
        self._camera = bpy.data.objects.new(f"{_NAME} Camera", self._lens)
        self._lamps: StudioLamps | None = None
        try:
            self._fill(renderer)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def setting(self) -> Iterator[Callable[[np.ndarray], None]]:
        """Lend a function that gives the shape its form and the studio its light."""
        with editable_studio() if self._lamps is None else self._lamps.lit() as light:

            def set_row(row: np.ndarray) -> None:
                shapes, lights = split(row[None])
                points, drawable = drawable_surface(shapes, self._grid)
                mesh.set_points(self._mesh, points[0])
                self._show(bool(drawable[0]))
                seed = int(lights[0])
                light(None if seed == SCENE_LIGHT else studio_of(seed, self._studio))

            yield set_row

    def close(self) -> None:
        """Remove the data-blocks."""
        if self._lamps is not None:
            self._lamps.free()
        with suppress(ReferenceError):  # Another file was opened: they are gone already.
            # Lets go of what Cycles kept for the next picture.
            self.scene.render.use_persistent_data = False
            bpy.data.objects.remove(self._camera)
            bpy.data.cameras.remove(self._lens)
            bpy.data.objects.remove(self._shape)
            bpy.data.meshes.remove(self._mesh)
            bpy.data.scenes.remove(self.scene)

    def _show(self, visible: bool) -> None:
        """Hide what cannot be drawn; setting what is set already would have Blender update."""
        if self._shape.hide_render == visible:
            self._shape.hide_render = self._shape.hide_viewport = not visible

    def _fill(self, renderer: str) -> None:
        scene = self.scene
        scene.collection.objects.link(self._shape)
        scene.collection.objects.link(self._camera)
        scene.camera = self._camera
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
        # Without a graphics card shadows are nearly all that an image of EEVEE costs (0.5 s a
        # sample, Mesa llvmpipe, against 10 ms), and a single shape that is lit from all sides has
        # little to show for them; Cycles has shadows.
        scene.eevee.use_shadows = False
        scene.eevee.use_raytracing = False
        for name, value in look.workbench_shading().items():
            setattr(scene.display.shading, name, value)
        if renderer != "solid":
            aim(scene, self._camera, self.camera)
        if renderer in ("eevee", "cycles"):
            self._lamps = StudioLamps(scene, self._studio)
