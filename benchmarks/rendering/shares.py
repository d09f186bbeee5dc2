# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of the fast renderer goes."""

from __future__ import annotations

import runpy
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.rendering.workers.batch import cuts

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from gdr.gdr_addon.scenes.supershape.fast.curves import texels  # noqa: E402
from gdr.gdr_addon.scenes.supershape.points import drawable_profiles, split  # noqa: E402


@dataclass(frozen=True)
class Shares:
    """Shares of a batch's time, which add up to 1.

    Attributes
    ----------
    drawing
        Drawing and reading the pictures, and telling Blender to.
    curves
        What the worker computes of each shape before, in numpy.
    transfer
        The rest: the sockets, the trainer, and what the worker does between two requests.
    """

    drawing: float
    curves: float
    transfer: float


def curve_seconds(rows: np.ndarray, grid: tuple[int, int]) -> float:
    """Return how long a batch's curves take, computed here, in the parts that a worker gets."""
    found = []
    for _ in range(15):
        started = time.perf_counter()
        for part in cuts(len(rows)):
            texels(*drawable_profiles(split(rows[part])[0], grid)[:2])
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def shares(total: list[float], rendering: list[float], curves: float) -> Shares:
    """Return the shares, of medians.

    Parameters
    ----------
    total
        Seconds of each batch, by the trainer's clock.
    rendering
        Seconds that the worker says it spent on each.
    curves
        Of them, what :func:`curve_seconds` found.
    """
    inside = statistics.median(inner / outer for inner, outer in zip(rendering, total, strict=True))
    numpy = min(inside, curves / statistics.median(total))
    return Shares(inside - numpy, numpy, 1.0 - inside)
