# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fast renderer sees is what Blender's own ray casting meets, on the same triangles."""

from __future__ import annotations

import gpu
import numpy as np
import pytest
from drawn_shapes import CAMERAS, broken_shapes, thin_shapes, wild_shapes
from gdr.gdr_core.camera import Camera
from gdr.gdr_core.supershape.superformula import surface
from mathutils import Vector
from mathutils.bvhtree import BVHTree

GRID = (30, 24)
SIZE = 40


def triangles(columns: int, rows: int) -> np.ndarray:
    """Return ``(T, 3)`` indices of points in the order of their column."""
    west, south = (index.reshape(-1) for index in np.indices((columns - 1, rows - 1)))
    corner = west * rows + south
    lower = np.stack((corner, corner + rows, corner + 1), axis=-1)
    upper = np.stack((corner + rows + 1, corner + 1, corner + rows), axis=-1)
    return np.concatenate((lower[south > 0], upper[south < rows - 2]))


def rays(camera: Camera, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the ray of each pixel's centre meets the near and the far plane, ``(P, 3)``."""
    view, projection = camera.arrays()
    middle = (np.arange(size) + 0.5) * 2 / size - 1
    y, x = (values.reshape(-1) for values in np.meshgrid(-middle, middle, indexing="ij"))
    ends = []
    for depth in (-1.0, 1.0):
        clip = np.stack((x, y, np.full_like(x, depth), np.ones_like(x)))
        world = np.linalg.inv(projection @ view) @ clip
        ends.append((world[:3] / world[3]).T)
    return ends[0], ends[1]


def met(points: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Return what rays meet, ``(P, 3)`` with NaN for nothing, and whether from inside, ``(P,)``."""
    columns, rows = points.shape[:2]
    tree = BVHTree.FromPolygons(
        points.reshape(-1, 3).tolist(), triangles(columns, rows).tolist(), all_triangles=True
    )
    near, far = rays(camera, SIZE)
    places, inside = np.full((len(near), 3), np.nan), np.zeros(len(near), bool)
    for index, (start, end) in enumerate(zip(near, far, strict=True)):
        way = Vector(end - start)
        place, normal, _, _ = tree.ray_cast(Vector(start), way, way.length)
        if place is not None:
            places[index], inside[index] = place, normal.dot(way) > 0
    return places, inside


def seen(renderer, shape: np.ndarray, camera: Camera) -> np.ndarray:
    """Return what the first stage saw in each pixel, ``(P, 2)``; see ``place_shader.py``."""
    made = renderer("fast", camera=camera, grid=GRID)
    made.render(shape[None], SIZE)
    out = np.empty((SIZE, SIZE, 2), np.float32)
    framebuffer = gpu.types.GPUFrameBuffer(color_slots=(made._atlases[0].places,))
    with framebuffer.bind():
        into = gpu.types.Buffer("FLOAT", out.shape, out)
        framebuffer.read_color(0, 0, SIZE, SIZE, 2, 0, "FLOAT", data=into)
    return out[::-1].reshape(-1, 2)


def points_at(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the points of the triangles at columns and rows, ``(P, 3)``."""
    cell = np.minimum(places.astype(int), np.array(points.shape[:2]) - 2)
    right, up = (places - cell).T[..., None]
    u, v = cell.T
    lower = points[u, v] * (1 - right - up) + points[u + 1, v] * right + points[u, v + 1] * up
    upper = (
        points[u + 1, v + 1] * (right + up - 1)
        + points[u, v + 1] * (1 - right)
        + points[u + 1, v] * (1 - up)
    )
    return np.where(right + up > 1, upper, lower)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("shapes", [wild_shapes, thin_shapes])
def test_pixels_show_what_rays_meet(renderer, camera, shapes):
    view = CAMERAS[camera]
    hits = 0
    for shape in shapes(6, seed=len(camera)):
        points = surface(shape[None], GRID)[0].astype(np.float64)
        points[:, [0, -1]] = points[:1, [0, -1]]  # Columns meet in the poles ...
        points[-1] = points[0]  # ... and the last is the first.
        expected, inside = met(points, view)
        found = seen(renderer, shape, view)
        there, hit = found[:, 0] != 0, np.isfinite(expected[:, 0])
        assert (there != hit).mean() < 0.004  # Rays along an edge.
        both = there & hit
        hits += both.sum()
        if not both.any():
            continue
        places = np.stack((np.abs(found[both, 0]) - 1, found[both, 1]), axis=-1)
        away = np.linalg.norm(points_at(points, places) - expected[both], axis=-1)
        depth = np.linalg.norm(expected[both] - rays(view, SIZE)[0][both], axis=-1)
        same = away < 1e-3 * (1 + depth)
        assert same.mean() > 0.99  # Where two faces are as near, or a thin one is missed.
        # A fin's two faces may be in one place, and either is the first.
        assert ((found[both, 0] < 0) == inside[both])[same].mean() > 0.95
    assert hits > 500


def test_what_cannot_be_drawn_is_met_by_no_ray(renderer):
    for shape in broken_shapes():
        assert not seen(renderer, shape, CAMERAS["reference"]).any()
