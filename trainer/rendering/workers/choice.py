# SPDX-License-Identifier: GPL-3.0-or-later
"""How many render workers suit this computer, and how many cores each draws on."""

from __future__ import annotations

import os

import psutil

from .memory import available_mb

WORKER_MB = 700
"""What a worker needs: 420 to 650 MB were measured for the supershape (bpy 5.0, Blender 4.3)."""
_MESA_THREADS = "LP_NUM_THREADS"
MOST = 8
"""Workers at most; a person may ask for more."""


def choose_workers(limit_mb: int = 0) -> int:
    """Return how many workers suit this computer, as it is now.

    Parameters
    ----------
    limit_mb
        Memory that a worker may use, in MB; 0 for :data:`WORKER_MB`.
    """
    return workers_for(physical_cores(), available_mb(), limit_mb or WORKER_MB)


def workers_for(cores: int, available: float, each: float) -> int:
    """Return the number of workers: 1 to :data:`MOST`.

    One for each physical core, less one for the trainer where there are more than two, and no more
    than the available memory holds.

    Parameters
    ----------
    cores
        Physical ones.
    available, each
        Memory, and what one worker needs of it, in MB.
    """
    wanted = cores - 1 if cores > 2 else cores
    return max(1, min(wanted, int(available // each), MOST))


def drawing_threads(cores: float) -> dict[str, str]:
    """Return the environment of a worker that is to draw on so many cores.

    Without a graphics card Mesa's llvmpipe draws, on all cores if nobody says otherwise; workers
    that each did so would be in each other's way. What a person has set stays.
    """
    if _MESA_THREADS in os.environ:
        return {}
    # 0 is the thread that asks for it, and is faster than a single other one.
    return {_MESA_THREADS: str(int(cores) if cores >= 2 else 0)}


def physical_cores() -> int:
    """Return the number of physical cores that this process may use, at least 1."""
    allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))
