# SPDX-License-Identifier: GPL-3.0-or-later
"""The triangles that the fast renderer draws."""

from __future__ import annotations

import gpu
import numpy as np
from numpy.typing import ArrayLike


def surface_batch(grid: tuple[int, int]) -> gpu.types.GPUBatch:
    """Return the triangles of a grid; a vertex knows its column and row and nothing else.

    The last column lies on the first, and all columns meet at each pole, where quads are triangles.
    """
    columns, rows = grid
    west, south = (index.reshape(-1) for index in np.indices((columns - 1, rows - 1)))
    corner = west * rows + south
    south_east, north_west = corner + rows, corner + 1
    lower = np.stack((south_east, north_west, corner), axis=-1)[south > 0]
    upper = np.stack((south_east, south_east + 1, north_west), axis=-1)[south < rows - 2]
    order = np.argsort(np.concatenate((2 * corner[south > 0], 2 * corner[south < rows - 2] + 1)))
    triangles = np.concatenate((lower, upper))[order]
    cells = np.stack(np.indices(grid), axis=-1).reshape(-1, 2)
    return _batch("cell", cells, triangles)


def tile_batch() -> gpu.types.GPUBatch:
    """Return a square from 0 to 1."""
    return _batch("corner", [(0, 0), (1, 0), (1, 1), (0, 1)], [(0, 1, 2), (0, 2, 3)])


def _batch(name: str, vertices: ArrayLike, triangles: ArrayLike) -> gpu.types.GPUBatch:
    """Return triangles between vertices of two numbers each."""
    vertices = np.asarray(vertices, dtype=np.float32)
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id=name, comp_type="F32", len=2, fetch_mode="FLOAT")
    buffer = gpu.types.GPUVertBuf(layout, len(vertices))
    buffer.attr_fill(name, vertices)
    triangles = np.ascontiguousarray(triangles, dtype=np.uint32)
    indices = gpu.types.GPUIndexBuf(type="TRIS", seq=triangles)
    return gpu.types.GPUBatch(type="TRIS", buf=buffer, elem=indices)
