# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the render pool have in common."""

import time

import msgspec
import numpy as np
import psutil

from gdr_core.settings import RenderSettings, RunSettings, SceneSettings, TrainingSettings
from gdr_core.supershape.parameters import INDEX

SIZE, GRID = 32, 24
SCENE = SceneSettings(options={"grid": (GRID, GRID)})
LIGHT = -1
"""The column of the number of the light."""
DEADLINE_S = 120.0


def settings(**rendering) -> RunSettings:
    """Return settings that render quickly, with two workers where nothing else is said."""
    chosen = msgspec.structs.replace(RenderSettings(workers=2), **rendering)
    return RunSettings(scene=SCENE, training=TrainingSettings(size=SIZE), rendering=chosen)


def rows(n: int) -> np.ndarray:
    """Return ``(n, P)`` rows, each of another supershape."""
    batch = np.repeat(SCENE.resolve().row()[None], n, axis=0)
    batch[:, INDEX["m1"]] = np.linspace(2, 14, n)
    batch[:, INDEX["m2"]] = np.linspace(9, 3, n)
    return batch


def until(true, render) -> None:
    """Render until it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        render()


def warm_up(pool) -> None:
    """Render until every worker of a local pool has rendered."""
    until(
        lambda: all(worker.ready and worker.rendered for worker in pool.workers),
        lambda: pool.render(rows(40)),
    )


def workers() -> list[psutil.Process]:
    """Return the render workers that this process started."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if any(word.endswith("_worker.py") or "worker_entry" in word for word in _words(child))
    ]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
