# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fast renderer's shaders know of a shape: two curves, in one small texture.

A point of the surface is ``(A.x C.x, A.y C.x, C.y)`` for a point ``A`` of the longitude's profile
and ``C`` of the latitude's. Between two neighbours ``A``, ``B`` of the longitude and ``C``, ``E``
of the latitude lies a face, whose normal is the cross product of its diagonals. Written out, it is

    (C.x + E.x) (dz D.y, -dz D.x, -(A x B) dc),    D = B - A,    (dc, dz) = E - C,

so that its direction takes only the direction of ``D``, the distance ``(A x B) / |D|`` of the line
through ``A`` and ``B`` from the axis, and the direction of ``(dc, dz)``. These are made here, in
double precision, for each segment of a curve; what is left for each face is a few products. So are
the linear functions that are 1 along a segment (:mod:`.walk`), and what bounds the shape.
"""

from __future__ import annotations

import numpy as np

from .....gdr_core.supershape.superformula import angles
from .bounds import bounds

ROWS = 6
"""Rows of the texture a shape takes."""
_TINY = 1e-300
"""A divisor for what is zero."""
_STEEP = 1e12
"""The steepest that a function gets: products of two are still numbers in single precision."""


def texels(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Return the texture's content, six rows a shape.

    Texel ``k + 1`` of a shape's rows holds, for ``k`` from -1 on,

    1. ``A[k]`` and ``C[k]``;
    2. the direction from ``A[k]`` to ``A[k + 1]`` and its line's distance from the axis; the curve
       goes round;
    3. the direction from ``C[k]`` to ``C[k + 1]``; before the first and after the last the normal
       at the south and at the north pole;
    4. two linear functions of x and y, by their factors: one that is 1 along the segment from
       ``A[k]`` on, and one that is 1 at ``A[k]`` and does not change across its direction; this
       curve too goes round;
    5. the same for ``C[k]``;
    6. from its first texel on, what bounds the shape (:func:`.fast_bounds.bounds`), two directions
       a texel.

    Parameters
    ----------
    longitude, latitude
        ``(N, U, 2)`` and ``(N, V, 2)`` (:func:`.superformula.profile`). All zeros for a
        shape that is not to be seen: what bounds it holds nothing then.

    Returns
    -------
    numpy.ndarray
        ``(6 N, max(U, V) + 1, 4)`` float32.
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
    longitudes, latitudes = angles((columns, rows))
    out[:, 3, 1:columns, :2] = _through_both(around, side)
    out[:, 3, columns, :2] = out[:, 3, 1, :2]
    out[:, 3, 1 : columns + 1, 2:] = _along_direction(around, longitudes)
    out[:, 4, 1:rows, :2] = _through_both(along, rise)
    out[:, 4, 1 : rows + 1, 2:] = _along_direction(along, latitudes)
    planes = bounds(around, along).reshape(count, -1, 4)
    out[:, 5, : planes.shape[1]] = planes
    return out.reshape(count * ROWS, -1, 4)


def _through_both(curve: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the linear functions that are 1 at both ends of a segment, ``(N, K - 1, 2)``.

    ``along`` has the segments' directions.
    """
    across = np.stack((along[..., 1], -along[..., 0]), axis=-1)
    distance = (curve[:, :-1] * across).sum(axis=-1, keepdims=True)
    return across / np.maximum(distance, 1.0 / _STEEP)


def _along_direction(curve: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the linear functions that are 1 at a point and change along its direction only.

    ``at`` are the points' angles; ``(N, K, 2)``.
    """
    radius = np.hypot(curve[..., :1], curve[..., 1:])
    directions = np.stack((np.cos(at), np.sin(at)), axis=-1)
    return directions / np.maximum(radius, 1.0 / _STEEP)


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
