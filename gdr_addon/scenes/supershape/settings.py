# SPDX-License-Identifier: GPL-3.0-or-later
"""``scene.gdr_supershape``: the supershape scene's own settings, saved with the file."""

# No "from __future__ import annotations" here: Blender reads the annotations as values.
from contextlib import ExitStack
from typing import Any

import bpy
import msgspec
from bpy.app.handlers import persistent
from bpy.props import IntVectorProperty, PointerProperty

from ....gdr_core.camera import Camera
from ....gdr_core.supershape.resolution import automatic_grid
from ... import registration


def _is_camera(_settings, candidate: bpy.types.Object) -> bool:
    return candidate.type == "CAMERA"


class GDR_PG_supershape(bpy.types.PropertyGroup):
    """How a supershape is rendered."""

    grid: IntVectorProperty(
        name="Grid",
        description="Resolution of the surface along the longitude and the latitude, "
        "0 for what suits the image size",
        size=2,
        default=(0, 0),
        min=0,
        max=1000,
        soft_max=200,
    )
    camera: PointerProperty(
        name="Camera",
        description="Camera of the renders; the reference camera if empty",
        type=bpy.types.Object,
        poll=_is_camera,
    )


def options_of(scene: bpy.types.Scene, evaluate: bool) -> dict[str, Any]:
    """Return what the panel says, as plain data.

    Parameters
    ----------
    evaluate
        Look at the camera's object, which needs an evaluated scene; not while drawing.
    """
    own = scene.gdr_supershape
    suits = automatic_grid(int(scene.gdr.size))
    found: dict[str, Any] = {
        "grid": [side or automatic for side, automatic in zip(own.grid, suits, strict=True)]
    }
    if own.camera and evaluate:
        found["camera"] = msgspec.to_builtins(camera_of(own.camera))
    return found


def camera_of(camera: bpy.types.Object) -> Camera:
    """Return a camera object's view on the scene, in a square frame."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = camera.evaluated_get(depsgraph)
    # A camera's scale does not scale what it sees.
    view = evaluated.matrix_world.normalized().inverted()
    projection = evaluated.calc_matrix_camera(depsgraph, x=1, y=1, scale_x=1.0, scale_y=1.0)
    return Camera.from_matrices(view, projection)


def draw(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Draw them."""
    own = scene.gdr_supershape
    layout.prop(own, "grid")
    if not all(own.grid):
        split = layout.split(factor=0.4)
        split.active = False
        split.label()
        split.label(text="Automatic: {} x {}".format(*automatic_grid(int(scene.gdr.size))))
    layout.prop(own, "camera")


def adopt_old(scene: bpy.types.Scene) -> None:
    """Take over the grid and the camera of a file of before scenes had settings of their own.

    They were saved with ``scene.gdr``, whose properties they are no more.
    """
    old = _saved(scene).get("gdr") or {}
    own = scene.gdr_supershape
    if "grid" in old:
        own.grid = tuple(old["grid"])
        del old["grid"]
    if "camera" in old:
        own.camera = old["camera"]
        del old["camera"]


def _saved(scene: bpy.types.Scene):
    """Return what Blender saves of properties that add-ons define."""
    if hasattr(scene, "bl_system_properties_get"):  # Since Blender 5.0 not with those of people.
        return scene.bl_system_properties_get(do_create=False) or {}
    return scene


@persistent
def _after_load(*_) -> None:
    for scene in bpy.data.scenes:
        if scene.is_editable:
            adopt_old(scene)


def register(stack: ExitStack) -> None:
    """Add ``scene.gdr_supershape``."""
    registration.handler(stack, bpy.app.handlers.load_post, _after_load)
    registration.classes(stack, (GDR_PG_supershape,))
    pointer = PointerProperty(type=GDR_PG_supershape)
    registration.attribute(stack, bpy.types.Scene, "gdr_supershape", pointer)
