# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory: what a process uses, and what is left."""

from __future__ import annotations

from pathlib import Path

import psutil

MB = 2**20
_CGROUP = Path("/sys/fs/cgroup")


def used_mb(pid: int) -> float:
    """Return the resident memory of a process and what it started, in MB; 0 when it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0.0
    return sum(map(_resident, family)) / MB


def available_mb() -> float:
    """Return the memory that new processes can have without swapping, in MB.

    In a container with a limit (cgroup 2), what is left of that.
    """
    left = psutil.virtual_memory().available / MB
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        held = int((_CGROUP / "memory.current").read_text())
        # Files that are merely cached give way.
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        held -= int(stat.get("inactive_file", 0))
    except (OSError, ValueError):  # No such file, or "max".
        return left
    return max(0.0, min(left, (limit - held) / MB))


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
