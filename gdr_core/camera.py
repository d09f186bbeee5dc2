# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera as two matrices, so that every renderer and process sees through the same one."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from .errors import BadSettings

SENSOR_MM = 36.0


class Camera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A square view on the scene.

    Attributes
    ----------
    view
        World to camera, 4x4, as four rows. The camera looks along its -Z.
    projection
        Camera to clip space in OpenGL's convention, 4x4, as four rows.
    """

    view: tuple[tuple[float, ...], ...]
    projection: tuple[tuple[float, ...], ...]

    @classmethod
    def from_matrices(cls, view, projection) -> Camera:
        """Build one from any two 4x4 nested sequences (``mathutils.Matrix``, arrays)."""
        return cls(view=_rows(view), projection=_rows(projection))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ``view`` and ``projection`` as ``(4, 4)`` float64."""
        return np.array(self.view, dtype=np.float64), np.array(self.projection, dtype=np.float64)

    def check(self) -> None:
        """Raise :class:`BadSettings` unless both are finite, invertible 4x4 matrices."""
        for name, matrix in (("view", self.view), ("projection", self.projection)):
            if len(matrix) != 4 or any(len(row) != 4 for row in matrix):
                raise BadSettings(f"The camera's {name} matrix must have four rows of four.")
            values = np.array(matrix, dtype=np.float64)
            if not np.isfinite(values).all() or abs(np.linalg.det(values)) < 1e-12:
                raise BadSettings(f"The camera's {name} matrix cannot be inverted.")


def look_at(location, target) -> np.ndarray:
    """Return the ``(4, 4)`` view matrix of a camera at ``location``, its up towards world +Z."""
    eye, at = np.asarray(location, float), np.asarray(target, float)
    back = eye - at
    back /= np.linalg.norm(back)
    right = np.cross((0.0, 0.0, 1.0), back)
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = np.stack((right, np.cross(back, right), back))
    view[:3, 3] = -view[:3, :3] @ eye
    return view


def perspective(lens_mm: float, sensor_mm: float, near: float, far: float) -> np.ndarray:
    """Return the ``(4, 4)`` OpenGL projection of a square camera; ``near``, ``far`` in metres."""
    focal = 1.0 / math.tan(math.atan(0.5 * sensor_mm / lens_mm))
    return np.array(
        [
            [focal, 0.0, 0.0, 0.0],
            [0.0, focal, 0.0, 0.0],
            [0.0, 0.0, -(far + near) / (far - near), -2.0 * far * near / (far - near)],
            [0.0, 0.0, -1.0, 0.0],
        ]
    )


def _rows(matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)
