# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender camera with its matrices and projections."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from . import utils

_ORIGINS = ("upper-left", "lower-left")


class Camera:
    """View and projection of a Blender camera, and from world coordinates to pixels.

    The matrices are taken when the object is made; after the camera has moved or changed call
    :meth:`update_view_matrix` or :meth:`update_proj_matrix`.

    Parameters
    ----------
    bpy_camera
        A camera object; default: the scene's camera.
    shape
        (height, width) of the image in pixels; default: the render settings.
    """

    def __init__(self, bpy_camera: Any = None, shape: tuple[int, int] | None = None) -> None:
        self.bpy_camera = bpy_camera or bpy.context.scene.camera
        if self.bpy_camera is None:
            raise ValueError("The scene has no camera; add one or pass bpy_camera.")
        self.shape = shape or Camera.shape_from_bpy()
        bpy.context.view_layer.update()  # headless nobody else has brought matrix_world up to date
        self.view_matrix = Camera.view_from_bpy(self.bpy_camera)
        self.proj_matrix = Camera.proj_from_bpy(self.bpy_camera, self.shape)

    def update_view_matrix(self) -> None:
        """Take the view matrix from the camera's present pose."""
        self.view_matrix = Camera.view_from_bpy(self.bpy_camera)

    def update_proj_matrix(self) -> None:
        """Take the projection matrix from the camera's present settings."""
        self.proj_matrix = Camera.proj_from_bpy(self.bpy_camera, self.shape)

    @property
    def type(self) -> str:
        """Blender's type of the object."""
        return self.bpy_camera.type

    @property
    def clip_range(self) -> tuple[float, float]:
        """Near and far clipping distance in scene units."""
        return (self.bpy_camera.data.clip_start, self.bpy_camera.data.clip_end)

    @staticmethod
    def shape_from_bpy(bpy_render: Any = None) -> tuple[int, int]:
        """Return (height, width) in pixels of render settings."""
        render = bpy_render or bpy.context.scene.render
        scale = render.resolution_percentage / 100.0
        return (int(render.resolution_y * scale), int(render.resolution_x * scale))

    @staticmethod
    def view_from_bpy(bpy_camera: Any) -> Any:
        """Return the 4 x 4 matrix from world to camera space."""
        camera = bpy_camera or bpy.context.scene.camera
        return camera.matrix_world.normalized().inverted()

    @staticmethod
    def proj_from_bpy(bpy_camera: Any, shape: tuple[int, int] | None) -> Any:
        """Return the 4 x 4 projection matrix for an image of `shape`."""
        camera = bpy_camera or bpy.context.scene.camera
        height, width = shape or Camera.shape_from_bpy()
        depsgraph = bpy.context.evaluated_depsgraph_get()
        return camera.calc_matrix_camera(depsgraph, x=width, y=height)

    def world_to_ndc(self, xyz_world: Any, return_depth: bool = False) -> Any:
        """Project world coordinates.

        Parameters
        ----------
        xyz_world
            N x 3.
        return_depth
            Whether to return the distance along the viewing direction as well.

        Returns
        -------
        ndc : numpy.ndarray
            N x 3, from -1 to 1 within the picture.
        z : numpy.ndarray
            N, only with `return_depth`.
        """
        view = (
            utils.hom(np.atleast_2d(np.asarray(xyz_world, float))) @ np.asarray(self.view_matrix).T
        )
        ndc = utils.dehom(view @ np.asarray(self.proj_matrix).T)
        return (ndc, -view[:, 2]) if return_depth else ndc

    def ndc_to_pixel(self, ndc: Any, origin: str = "upper-left") -> np.ndarray:
        """Turn normalised device coordinates (N x 2 or more) into pixels (N x 2).

        `origin` is ``'upper-left'`` (as OpenCV has it) or ``'lower-left'`` (OpenGL).
        """
        _check_origin(origin)
        height, width = self.shape
        xy = (np.atleast_2d(ndc)[:, :2] + 1.0) / 2.0
        if origin == "upper-left":
            xy[:, 1] = 1.0 - xy[:, 1]
        return xy * np.array([[width, height]])

    def object_to_pixel(self, *objs: Any, return_depth: bool = False) -> Any:
        """Return where objects' vertices are in the picture, M x 2, and their depth if asked."""
        return self._to_pixel(utils.world_coordinates(*objs), return_depth)

    def bbox_object_to_pixel(self, *objs: Any, return_depth: bool = False) -> Any:
        """Return where the bounding boxes' corners are, M x 2, and their depth if asked."""
        return self._to_pixel(utils.bbox_world_coordinates(*objs), return_depth)

    def _to_pixel(self, xyz: np.ndarray, return_depth: bool) -> Any:
        ndc, depth = self.world_to_ndc(xyz, return_depth=True)
        pixels = self.ndc_to_pixel(ndc)
        return (pixels, depth) if return_depth else pixels

    def look_at(self, look_at: Any = None, look_from: Any = None) -> None:
        """Place the camera at `look_from` (where it is), looking at `look_at` (the origin)."""
        source = Vector(self.bpy_camera.location if look_from is None else look_from)
        target = Vector((0.0, 0.0, 0.0) if look_at is None else look_at)
        rotation = (target - source).to_track_quat("-Z", "Y")
        if self.bpy_camera.rotation_mode == "QUATERNION":
            self.bpy_camera.rotation_quaternion = rotation
        else:
            self.bpy_camera.rotation_euler = rotation.to_euler(
                self.bpy_camera.rotation_mode
                if self.bpy_camera.rotation_mode != "AXIS_ANGLE"
                else "XYZ"
            )
        self.bpy_camera.location = source
        bpy.context.view_layer.update()
        self.update_view_matrix()

    def set_as_active_camera(self, scene: Any = None) -> None:
        """Make this the camera of `scene` (default: the current one)."""
        (scene or bpy.context.scene).camera = self.bpy_camera


def _check_origin(origin: str) -> None:
    if origin not in _ORIGINS:
        raise ValueError(f"origin is one of {_ORIGINS}, not {origin!r}.")
