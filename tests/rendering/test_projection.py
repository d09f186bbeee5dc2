# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn lies where the points are, computed independently in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_shapes import CAMERAS, SIZE, mask, simple_shapes, wild_shapes
from gdr.gdr_core.camera import Camera, look_at, perspective
from gdr.gdr_core.supershape.parameters import from_values
from gdr.gdr_core.supershape.superformula import surface


def pixels_of(parameters: np.ndarray, camera: Camera, size: int) -> np.ndarray:
    """Return the pixel coordinates ``(P, 2)`` (column, row from the top) of a shape's points."""
    view, projection = camera.arrays()
    points = surface(parameters[None])[0].reshape(-1, 3).astype(np.float64)
    clip = np.c_[points, np.ones(len(points))] @ (projection @ view).T
    ndc = clip[:, :2] / clip[:, 3:]
    return np.stack(((ndc[:, 0] + 1) / 2, (1 - ndc[:, 1]) / 2), axis=-1) * size


def grown(shape: np.ndarray) -> np.ndarray:
    padded = np.pad(shape, 1)
    rows, columns = shape.shape
    out = np.zeros_like(shape)
    for down in range(3):
        for right in range(3):
            out |= padded[down : down + rows, right : right + columns]
    return out


@pytest.mark.parametrize("name", ["fast", "solid"])
@pytest.mark.parametrize("camera", ["reference", "top left", "orthographic"])
def test_points_and_bounding_boxes(renderer, name, camera):
    view = CAMERAS[camera]
    batch = np.concatenate((simple_shapes(12, seed=5), wild_shapes(12, seed=5)))
    images = renderer(name, camera=view).render(batch, SIZE)
    compared = 0
    for parameters, shape in zip(batch, mask(images), strict=True):
        where = pixels_of(parameters, view, SIZE)
        inside = ((where >= 0) & (where < SIZE)).all(axis=1)
        columns, rows = np.floor(where[inside]).astype(int).T
        assert grown(shape)[rows, columns].all()
        # A point of the surface covers its pixel, except at the very edge and on thin spikes.
        assert shape[rows, columns].mean() > 0.8
        if inside.all():
            compared += 1
            low, high = where.min(axis=0), where.max(axis=0)
            drawn = np.argwhere(shape)[:, ::-1]
            if name == "fast" and len(drawn) > 200:
                assert np.abs(drawn.min(axis=0) - low).max() < 1.6
                assert np.abs(drawn.max(axis=0) + 1 - high).max() < 1.6
    assert compared > 6


@pytest.mark.parametrize("name", ["fast", "solid"])
def test_first_row_is_on_top_and_first_column_left(renderer, name):
    # The camera looks past the shape, to its right and below it.
    camera = Camera.from_matrices(
        look_at((0.0, -12.0, 0.0), (0.0, 0.0, 0.0)), perspective(60.0, 36.0, 0.1, 100.0)
    )
    shifted = np.array(camera.view)
    shifted[:2, 3] += (-1.8, 1.8)
    camera = Camera.from_matrices(shifted, camera.projection)
    sphere = from_values({"m1": 0, "m2": 0})
    shape = mask(renderer(name, camera=camera).render(sphere[None], SIZE))[0]
    assert shape[: SIZE // 2, : SIZE // 2].sum() == shape.sum() > 50


def test_a_pyramid_points_up(renderer):
    # Latitude with m = 1 has its greatest radius at one end: more shape above than below.
    camera = Camera.from_matrices(
        look_at((0.0, -12.0, 0.0), (0.0, 0.0, 0.0)), perspective(60.0, 36.0, 0.1, 100.0)
    )
    batch = wild_shapes(16, seed=9)
    points = surface(batch)
    images = renderer("fast", camera=camera).render(batch, SIZE)
    for point, shape in zip(points, mask(images), strict=True):
        if np.abs(point).max() > 3.0 or shape.sum() < 100:
            continue
        rows = np.argwhere(shape.any(axis=1))[:, 0]
        scale = SIZE / (2 * 12 * 18 / 60)
        assert rows[0] == pytest.approx(SIZE / 2 - point[..., 2].max() * scale, abs=2.5)
