# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fast renderer's shaders know of a shape: two curves, in one small texture.

A point of the surface is ``(A.x C.x, A.y C.x, C.y)`` for a point ``A`` of the longitude's profile
and ``C`` of the latitude's. Between two neighbours ``A``, ``B`` of the longitude and ``C``, ``E``
of the latitude lies a face, whose normal is the cross product of its diagonals. Written out, it is

    (C.x + E.x) (dz D.y, -dz D.x, -(A x B) dc),    D = B - A,    (dc, dz) = E - C,

so that its direction takes only the direction of ``D``, the distance ``(A x B) / |D|`` of the line
through ``A`` and ``B`` from the axis, and the direction of ``(dc, dz)``. These are made here, in
double precision, for each segment of a curve; what is left for each face is a few products.
"""

from __future__ import annotations

import numpy as np

ROWS = 3
"""Rows of the texture a shape takes."""


def texels(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Return the texture's content, three rows a shape.

    Texel ``k + 1`` of a shape's rows holds, for ``k`` from -1 on,

    1. ``A[k]`` and ``C[k]``;
    2. the direction from ``A[k]`` to ``A[k + 1]`` and its line's distance from the axis; the curve
       goes round;
    3. the direction from ``C[k]`` to ``C[k + 1]``; before the first and after the last the normal
       at the south and at the north pole.

    Parameters
    ----------
    longitude, latitude
        ``(N, U, 2)`` and ``(N, V, 2)`` (:func:`gdr_core.superformula.profile`). All zeros for a
        shape that is not to be seen: triangles without an area cover no pixel.

    Returns
    -------
    numpy.ndarray
        ``(3 N, max(U, V) + 1, 4)`` float32.
    """
    count, columns, rows = len(longitude), longitude.shape[1], latitude.shape[1]
    around = np.array(longitude, dtype=np.float64)
    around[:, -1] = around[:, 0]  # The last column is the first one again, to the last bit.
    along = np.array(latitude, dtype=np.float64)
    along[:, [0, -1], 0] = 0.0  # A pole is one point.
    side, distance = _sides(around)
    rise = _directions(np.diff(along, axis=1))

    out = np.zeros((count, ROWS, max(columns, rows) + 1, 4), dtype=np.float32)
    out[:, 0, 1 : columns + 1, :2] = around
    out[:, 0, 1 : rows + 1, 2:] = along
    out[:, 1, 1:columns, :2] = side
    out[:, 1, 1:columns, 2] = distance
    out[:, 1, 0] = out[:, 1, columns - 1]
    out[:, 1, columns] = out[:, 1, 1]
    out[:, 2, 1:rows, :2] = rise
    out[:, 2, 0, :3] = _pole_normals(around, side, distance, rise[:, 0])
    out[:, 2, rows, :3] = _pole_normals(around, side, distance, rise[:, -1])
    return out.reshape(count * ROWS, -1, 4)


def _sides(around: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments' directions ``(N, U - 1, 2)``, and distances from the axis."""
    side = _directions(np.diff(around, axis=1))
    here = around[:, :-1]
    return side, here[..., 0] * side[..., 1] - here[..., 1] * side[..., 0]


def _pole_normals(
    around: np.ndarray, side: np.ndarray, distance: np.ndarray, rise: np.ndarray
) -> np.ndarray:
    """Return the normal at a pole, the mean of those around it weighted by angle; ``(N, 3)``.

    ``rise``, ``(N, 2)``, is the direction of the latitude's segment at the pole.
    """
    across, up = rise[:, :1], rise[:, 1:]
    face = np.stack((up * side[..., 1], -up * side[..., 0], -across * distance), axis=-1)
    edge = np.empty((*around.shape[:2], 3))  # Towards the pole or away from it, all alike.
    edge[..., :2] = around * across[..., None]
    edge[..., 2] = up
    edge = _directions(edge)
    cosine = np.clip((edge[:, 1:] * edge[:, :-1]).sum(axis=-1), -1.0, 1.0)
    return _directions((np.arccos(cosine)[..., None] * _directions(face)).sum(axis=1))


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, zero for those that have none."""
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / np.where(largest > 0.0, largest, 1.0)
    length = np.sqrt((scaled * scaled).sum(axis=-1, keepdims=True))
    return scaled / np.where(length > 0.0, length, 1.0)
