# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes and cameras of these tests."""

from __future__ import annotations

import msgspec
import numpy as np
from gdr.gdr_addon.renderers import make_renderer
from gdr.gdr_addon.scenes.supershape import look
from gdr.gdr_core import scenes
from gdr.gdr_core.camera import Camera, look_at, perspective
from gdr.gdr_core.scene import Scene
from gdr.gdr_core.supershape import parameters as table
from gdr.gdr_core.supershape.scene import SUPERSHAPE, SupershapeOptions
from gdr.gdr_core.supershape.superformula import surface
from gdr.gdr_core.supershape.view import reference_camera

SIZE = 64


def scene(grid: tuple[int, int] = (50, 50), camera: Camera | None = None) -> Scene:
    """Return the supershape scene with such a surface, seen so."""
    options = msgspec.to_builtins(SupershapeOptions(grid=grid, camera=camera))
    options = {name: value for name, value in options.items() if value is not None}
    return Scene(name=SUPERSHAPE.name, parameters=SUPERSHAPE.parameters, options=options)


def rows(shapes: np.ndarray, lights: np.ndarray | None = None) -> np.ndarray:
    """Return shapes ``(N, 12)`` in lights ``(N,)`` as rows of the scene ``(N, 13)``."""
    lights = np.zeros(len(shapes)) if lights is None or not len(lights) else lights
    return np.column_stack((shapes, lights)).astype(np.float64)


class ShapeRenderer:
    """A renderer of supershapes that takes shapes and lights; all else is the renderer's own."""

    def __init__(self, name: str, grid=(50, 50), camera: Camera | None = None, **options):
        described = scenes.filled(scene(grid, camera), SIZE)
        self.renderer = make_renderer(described, name, **options)

    def __getattr__(self, name: str):
        return getattr(self.renderer, name)

    def render(self, shapes: np.ndarray, size: int, lights: np.ndarray | None = None) -> np.ndarray:
        """Return the images ``(N, size, size, 3)`` of shapes ``(N, 12)``."""
        return self.renderer.render(rows(shapes, lights), size)


def simple_shapes(count: int, seed: int = 0) -> np.ndarray:
    """Return ``(count, 12)`` shapes of the reference's experiment: only the frequencies vary."""
    rng = np.random.default_rng(seed)
    batch = np.tile(table.defaults(), (count, 1))
    batch[:, table.INDEX["m1"]] = np.exp(rng.normal(2.25, 0.5, count))
    batch[:, table.INDEX["m2"]] = np.exp(rng.normal(2.25, 0.5, count))
    return batch


def wild_shapes(count: int, seed: int = 0) -> np.ndarray:
    """Return ``(count, 12)`` shapes with all twelve parameters drawn at random."""
    rng = np.random.default_rng(seed)
    half = [rng.uniform(0, 20, count), *rng.uniform(0.5, 2, (2, count))]
    half += [rng.uniform(0.5, 20, count), *rng.uniform(0.5, 10, (2, count))]
    other = [rng.uniform(0, 20, count), *rng.uniform(0.5, 2, (2, count))]
    other += [rng.uniform(0.5, 20, count), *rng.uniform(0.5, 10, (2, count))]
    return np.stack(half + other, axis=-1).astype(np.float32)


def thin_shapes(count: int, seed: int = 0) -> np.ndarray:
    """Return ``(count, 12)`` shapes with arms like needles and fins like paper, up to 100 m long.

    Between the arms their radii go down to 1e-20.
    """
    rng = np.random.default_rng(seed)
    batch = wild_shapes(40 * count, seed)
    batch[:, [0, 6]] = rng.integers(3, 12, (len(batch), 2))
    batch[:, [3, 9]] = np.exp(rng.uniform(-2.2, 0.0, (len(batch), 2)))
    with np.errstate(all="ignore"):
        size = np.abs(surface(batch)).max(axis=(1, 2, 3))
    return batch[(size > 0.5) & (size < 100.0)][:count]


def broken_shapes() -> np.ndarray:
    """Return shapes whose coordinates are not finite, and one that fills the universe."""
    batch = np.tile(table.defaults(), (6, 1))
    batch[0] = np.nan
    batch[1] = np.inf
    batch[2, 0] = np.nan
    batch[3, [0, 3]] = 5.0, 0.0  # n1 = 0
    batch[4, 1] = 0.0  # a = 0
    batch[5, 6:] = (4, 1, 1, 0.001, 10, 10)  # r = 2^4000 or so
    return batch


CAMERAS = {
    "reference": reference_camera(),
    "wide": Camera.from_matrices(
        look_at((-2.0, -2.5, -1.5), (0.0, 0.0, 0.2)), perspective(35.0, 36.0, 0.1, 100.0)
    ),
    "top left": Camera.from_matrices(
        look_at((0.5, -11.0, 3.0), (1.4, 0.0, -1.0)), perspective(60.0, 36.0, 0.1, 100.0)
    ),
    "orthographic": Camera.from_matrices(
        look_at((6.0, 5.0, 4.0), (0.0, 0.0, 0.0)),
        [[0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, -0.02, -1.0], [0, 0, 0, 1]],
    ),
    "inside": Camera.from_matrices(
        look_at((0.3, -0.2, 0.1), (1.0, 1.0, 0.0)), perspective(25.0, 36.0, 0.05, 100.0)
    ),
}


def mask(images: np.ndarray) -> np.ndarray:
    """Return where images are not background, ``(..., H, W)`` bool."""
    background = np.round(np.array(look.BACKGROUND) * 255).astype(np.uint8)
    return (images != background).any(axis=-1)
