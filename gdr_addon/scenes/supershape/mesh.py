# SPDX-License-Identifier: GPL-3.0-or-later
"""A supershape as a Blender mesh: made once for a grid, then only its points move.

The vertices are those of ``supershape.make_bpy_mesh`` (PyPI), in the same order. The faces differ
where the surface meets itself: they join the last column to the first instead of leaving a seam,
and each pole is one vertex, so that smooth shading runs on across both. The vertices that this
leaves without a face (the last column, all but one of each pole) stay in place and are not drawn.
"""

from __future__ import annotations

import bpy
import numpy as np


def new_mesh(name: str, shape: tuple[int, int]) -> bpy.types.Mesh:
    """Return a new smooth mesh of a ``(U, V)`` grid, all of its points at the origin.

    Parameters
    ----------
    name
        The data-block's name.
    shape
        Grid size: longitude (at least 4) and latitude (at least 3).

    Returns
    -------
    bpy.types.Mesh
        ``U * V`` vertices, vertex ``u * V + v``; ``(U - 1) * (V - 1)`` faces, all facing outward.
    """
    corners, starts = faces(shape)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(shape[0] * shape[1])
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(len(starts))
    mesh.polygons.foreach_set("loop_start", starts)
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def set_points(mesh: bpy.types.Mesh, points: np.ndarray) -> None:
    """Move the mesh's vertices to ``points``, ``(U, V, 3)``.

    Raises
    ------
    ValueError
        Not as many points as the mesh has vertices.
    """
    flat = np.ascontiguousarray(points, dtype=np.float32).reshape(-1)
    if len(flat) != 3 * len(mesh.vertices):
        raise ValueError(f"{len(flat) // 3} points for a mesh of {len(mesh.vertices)} vertices.")
    # 200 times faster than vertices.foreach_set("co"), which converts every number.
    mesh.attributes["position"].data.foreach_set("vector", flat)
    # Marks normals and bounds as stale and tells the dependency graph.
    mesh.update()


def faces(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the faces of a ``(U, V)`` grid.

    Returns
    -------
    corners
        ``(C,)`` int32, the vertices of all faces in a row, each face counter-clockwise from
        outside: quads, and triangles at the poles.
    starts
        ``((U - 1) * (V - 1),)`` int32, where each face begins in ``corners``.
    """
    columns, rows = shape
    if columns < 4 or rows < 3:
        raise ValueError(f"A grid of {columns} x {rows} points is not closed; give 4 x 3 or more.")
    west = np.arange(columns - 1, dtype=np.int32)[:, None]
    east = (west + 1) % (columns - 1)
    south = np.arange(rows - 1, dtype=np.int32)[None, :]
    west, east, south = np.broadcast_arrays(west, east, south)
    # As in the reference: the diagonal of a quad runs from its south-east to its north-west.
    quads = np.stack(
        (
            east * rows + south,
            east * rows + south + 1,
            west * rows + south + 1,
            west * rows + south,
        ),
        axis=-1,
    )
    keep = np.ones(quads.shape, dtype=bool)
    keep[:, 0, 0] = False  # South pole: one vertex, that of column 0.
    quads[:, 0, 3] = 0
    keep[:, -1, 1] = False  # North pole.
    quads[:, -1, 2] = rows - 1
    # The pole's corner is repeated in no triangle: the columns' own copies are left out.
    corners = quads[keep].astype(np.int32)
    sizes = keep.sum(axis=-1).reshape(-1)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int32)
    return corners, starts
