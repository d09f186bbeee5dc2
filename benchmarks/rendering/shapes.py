# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the supershape scene that are rendered; the same at each call."""

from __future__ import annotations

import numpy as np

from gdr_core import scenes
from gdr_core.scene import Scene
from gdr_core.settings import SceneSettings
from gdr_core.supershape.parameters import INDEX, defaults


def scene(grid: tuple[int, int] | None = None, size: int = 64) -> Scene:
    """Return the supershape scene with this grid; None for that of the image size."""
    settings = SceneSettings(options={} if grid is None else {"grid": list(grid)})
    return scenes.filled(settings.resolve(), size)


def in_own_light(shapes: np.ndarray) -> np.ndarray:
    """Return shapes ``(N, 12)`` as rows ``(N, 13)``, in the scene's own light."""
    return np.column_stack((shapes, np.zeros(len(shapes))))


def around_truth(count: int, spread: float = 0.4) -> np.ndarray:
    """Return ``(count, 13)`` rows: shapes around the truth of the reference's experiment."""
    rng = np.random.default_rng(0)
    batch = np.tile(defaults(), (count, 1))
    for name in ("m1", "m2"):
        batch[:, INDEX[name]] = np.exp(rng.normal(2.25, spread, count))
    return in_own_light(batch)


def wild(count: int, highest: float = 20.0) -> np.ndarray:
    """Return ``(count, 13)`` rows: shapes with all parameters at random, frequencies from 0."""
    rng = np.random.default_rng(1)
    halves = [
        [
            rng.uniform(0.0, highest, count),
            *rng.uniform(0.5, 2.0, (2, count)),
            rng.uniform(0.5, 20.0, count),
            *rng.uniform(0.5, 10.0, (2, count)),
        ]
        for _ in range(2)
    ]
    return in_own_light(np.stack(halves[0] + halves[1], axis=-1).astype(np.float32))


def smooth(count: int) -> np.ndarray:
    """Return ``(count, 13)`` rows: shapes with few lobes."""
    return wild(count, highest=6.0)


def spiky(count: int) -> np.ndarray:
    """Return ``(count, 13)`` rows: shapes with many lobes, which end in spikes."""
    rng = np.random.default_rng(2)
    halves = [
        [rng.uniform(10.0, 20.0, count), *np.ones((2, count)), *rng.uniform(0.5, 3.0, (3, count))]
        for _ in range(2)
    ]
    return in_own_light(np.stack(halves[0] + halves[1], axis=-1).astype(np.float32))
