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
_TINY = 1e-300
"""A divisor for what is zero."""


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
    side = _directions(np.diff(around, axis=1))
    distance = around[:, :-1, 0] * side[..., 1] - around[:, :-1, 1] * side[..., 0]
    rise = _directions(np.diff(along, axis=1))

    out = np.zeros((count, ROWS, max(columns, rows) + 1, 4), dtype=np.float32)
    out[:, 0, 1 : columns + 1, :2] = around
    out[:, 0, 1 : rows + 1, 2:] = along
    out[:, 1, 1:columns, :2] = side
    out[:, 1, 1:columns, 2] = distance
    out[:, 1, [0, columns]] = out[:, 1, [columns - 1, 1]]
    out[:, 2, 1:rows, :2] = rise
    out[:, 2, [0, rows], :3] = _pole_normals(around, side, distance, rise[:, [0, -1]])
    return out.reshape(count * ROWS, -1, 4)


def _pole_normals(
    around: np.ndarray, side: np.ndarray, distance: np.ndarray, rise: np.ndarray
) -> np.ndarray:
    """Return the normals at the poles, means of those around them weighted by angle; ``(N, 2, 3)``.

    ``rise``, ``(N, 2, 2)``, has the directions of the latitude's segments at both poles.
    """
    across, up = rise[..., :1], rise[..., 1:]
    square = (around * around).sum(axis=-1)[:, None]
    inner = (around[:, 1:] * around[:, :-1]).sum(axis=-1)[:, None]
    edge = np.sqrt(square * (across * across) + up * up)
    product = inner * (across * across) + up * up
    cosine = product / np.maximum(edge[..., 1:] * edge[..., :-1], _TINY)
    face = np.hypot(up, across * distance[:, None])
    weight = np.arccos(np.clip(cosine, -1.0, 1.0)) / np.maximum(face, _TINY)
    x, y = (weight @ side).transpose(2, 0, 1)
    z = (weight @ distance[..., None])[..., 0]
    total = np.stack((up[..., 0] * y, -up[..., 0] * x, -across[..., 0] * z), axis=-1)
    return total / np.maximum(np.sqrt((total * total).sum(axis=-1, keepdims=True)), _TINY)


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Return ``(..., 2)`` vectors of length 1, zero for those that have none."""
    return vectors / np.maximum(np.hypot(vectors[..., :1], vectors[..., 1:]), _TINY)
