# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera object that sees what a :class:`~gdr_core.camera.Camera` sees."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ....gdr_core.camera import SENSOR_MM, Camera
from ....gdr_core.errors import BadSettings

_TOLERANCE = 1e-3


def aim(scene: bpy.types.Scene, camera: bpy.types.Object, wanted: Camera) -> None:
    """Place and set up a camera object of ``scene`` for a square picture.

    Raises
    ------
    BadSettings
        The view is sheared, mirrored or scaled, or the projection is none that a camera object
        has; ``fast`` and ``solid`` take any.
    """
    view, projection = wanted.arrays()
    _check_rigid(view)
    camera.matrix_world = Matrix(np.linalg.inv(view).tolist())
    lens, render = camera.data, scene.render
    if projection[3, 3] == 0.0:
        _set_perspective(lens, projection)
    else:
        _set_orthographic(lens, projection)
    lens.sensor_fit = "HORIZONTAL"
    stretch = abs(projection[0, 0] / projection[1, 1]) if projection[1, 1] else 1.0
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1.0 / stretch), max(1.0, stretch)
    _check_projection(scene, camera, projection)


def _set_perspective(lens: bpy.types.Camera, projection: np.ndarray) -> None:
    lens.type = "PERSP"
    lens.sensor_width = SENSOR_MM
    lens.lens = 0.5 * SENSOR_MM * projection[0, 0]
    lens.shift_x, lens.shift_y = _shift(projection[:2, 2], projection)
    depth, offset = projection[2, 2:]
    with np.errstate(all="ignore"):
        _set_clip(lens, offset / (depth - 1.0), offset / (depth + 1.0))


def _set_orthographic(lens: bpy.types.Camera, projection: np.ndarray) -> None:
    lens.type = "ORTHO"
    depth, offset = projection[2, 2:]
    with np.errstate(all="ignore"):
        lens.ortho_scale = 2.0 / projection[0, 0]
        _set_clip(lens, (offset + 1.0) / depth, (offset - 1.0) / depth)
    lens.shift_x, lens.shift_y = _shift(-projection[:2, 3], projection)


def _shift(offset: np.ndarray, projection: np.ndarray) -> tuple[float, float]:
    """Return a lens shift, both parts in widths of the picture."""
    height = projection[0, 0] / projection[1, 1] if projection[1, 1] else 1.0
    return 0.5 * float(offset[0]), 0.5 * float(offset[1] * height)


def _set_clip(lens: bpy.types.Camera, near: float, far: float) -> None:
    lens.clip_start, lens.clip_end = float(near), float(far)


def _check_rigid(view: np.ndarray) -> None:
    turn = view[:3, :3]
    rigid = np.allclose(turn @ turn.T, np.eye(3), atol=_TOLERANCE) and np.linalg.det(turn) > 0
    if not rigid or not np.allclose(view[3], (0.0, 0.0, 0.0, 1.0), atol=1e-6):
        raise BadSettings(
            "Blender's engines cannot look through this camera, whose view is scaled, sheared or "
            "mirrored; use the renderer fast or solid."
        )


def _check_projection(
    scene: bpy.types.Scene, camera: bpy.types.Object, projection: np.ndarray
) -> None:
    """Compare with what Blender makes of the settings, whatever it does with each of them."""
    layer = scene.view_layers[0]
    layer.update()
    render = scene.render
    made = camera.calc_matrix_camera(
        layer.depsgraph,
        x=64,
        y=64,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    if not np.allclose(np.array(made), projection, rtol=_TOLERANCE, atol=_TOLERANCE):
        raise BadSettings(
            "Blender's engines cannot look through this camera, whose projection no camera object "
            "has; use the renderer fast or solid."
        )
