# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the render pool have in common."""

import msgspec
import numpy as np
import psutil

from gdr_core.settings import RenderSettings, RunSettings, TrainingSettings
from gdr_core.supershape import parameters

SIZE, GRID = 32, 24


def settings(**rendering) -> RunSettings:
    """Return settings that render quickly, with two workers where nothing else is said."""
    chosen = RenderSettings(workers=2, grid=(GRID, GRID))
    return RunSettings(
        training=TrainingSettings(size=SIZE), rendering=msgspec.structs.replace(chosen, **rendering)
    )


def shapes(n: int) -> np.ndarray:
    """Return ``(n, 12)`` parameters, each of another shape."""
    batch = np.repeat(parameters.defaults()[None], n, axis=0)
    batch[:, parameters.INDEX["m1"]] = np.linspace(2, 14, n)
    batch[:, parameters.INDEX["m2"]] = np.linspace(9, 3, n)
    return batch


def warm_up(pool) -> None:
    """Render until every worker of a local pool has rendered."""
    while not all(worker.ready and worker.rendered for worker in pool._workers):
        pool.render(shapes(40))


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
