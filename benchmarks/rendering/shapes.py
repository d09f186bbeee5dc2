# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes that are rendered; the same at each call."""

from __future__ import annotations

import numpy as np

from gdr_core.supershape.parameters import INDEX, defaults


def around_truth(count: int, spread: float = 0.4) -> np.ndarray:
    """Return ``(count, 12)`` shapes around the truth of the reference's experiment."""
    rng = np.random.default_rng(0)
    batch = np.tile(defaults(), (count, 1))
    for name in ("m1", "m2"):
        batch[:, INDEX[name]] = np.exp(rng.normal(2.25, spread, count))
    return batch


def wild(count: int, highest: float = 20.0) -> np.ndarray:
    """Return ``(count, 12)`` shapes with all parameters at random, frequencies from 0."""
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
    return np.stack(halves[0] + halves[1], axis=-1).astype(np.float32)


def smooth(count: int) -> np.ndarray:
    """Return ``(count, 12)`` shapes with few lobes."""
    return wild(count, highest=6.0)


def spiky(count: int) -> np.ndarray:
    """Return ``(count, 12)`` shapes with many lobes, which end in spikes."""
    rng = np.random.default_rng(2)
    halves = [
        [rng.uniform(10.0, 20.0, count), *np.ones((2, count)), *rng.uniform(0.5, 3.0, (3, count))]
        for _ in range(2)
    ]
    return np.stack(halves[0] + halves[1], axis=-1).astype(np.float32)
