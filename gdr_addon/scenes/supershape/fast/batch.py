# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fast renderer's stages draw."""

from __future__ import annotations

import gpu
import numpy as np


def tile_batch() -> gpu.types.GPUBatch:
    """Return a square from 0 to 1."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32)
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="corner", comp_type="F32", len=2, fetch_mode="FLOAT")
    buffer = gpu.types.GPUVertBuf(layout, len(corners))
    buffer.attr_fill("corner", corners)
    triangles = np.array([(0, 1, 2), (0, 2, 3)], dtype=np.uint32)
    indices = gpu.types.GPUIndexBuf(type="TRIS", seq=triangles)
    return gpu.types.GPUBatch(type="TRIS", buf=buffer, elem=indices)
