# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets of the targets, to see what the estimators are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data.images import contact_sheet, save_png

from . import nuisances
from .scene import Scene
from .tasks import TASKS, targets_of


def write(folder: Path, tasks: Sequence[str], seed: int = 0) -> None:
    """Write ``targets/TASK.png`` for each task."""
    scene = Scene()
    for name in tasks:
        task = TASKS[name]
        rng = np.random.default_rng(2000 + seed)
        images = nuisances.see(scene, targets_of(task, seed), task.names, task.seen_through, rng)
        save_png(folder / "targets" / f"{name}.png", contact_sheet(images))
