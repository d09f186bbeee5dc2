# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a Blender to launch: a program, or the bpy module of this Python."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

ENV_BLENDER = "GDR_BLENDER"
"""Environment variable with a Blender program, a folder with one, or ``bpy``."""
_VERSION_TIMEOUT_S = 120.0
_VERSION = re.compile(r"Blender\s+(\d+)\.(\d+)")


def discover_blender(
    additional_blender_paths: str | Path | None = None, *, background: bool = False
) -> dict[str, Any] | None:
    """Find Blender.

    Looked for in this order: `additional_blender_paths`, the environment variable ``GDR_BLENDER``,
    in the background the ``bpy`` module of this Python, ``PATH``. The module has no window; where
    one is wanted it is the last resort.

    Parameters
    ----------
    additional_blender_paths
        A Blender program, a folder with one (several joined by ``os.pathsep``), or ``"bpy"``.
    background
        Whether it will run without a window.

    Returns
    -------
    dict or None
        ``path``, ``major``, ``minor`` and ``kind``, which is ``"binary"`` or ``"module"``. For the
        module, ``path`` is this Python.
    """
    wanted = str(additional_blender_paths or os.environ.get(ENV_BLENDER, ""))
    if wanted == "bpy":
        return _module()
    program = _program(wanted) if wanted else None
    if wanted and program is None:
        logger.warning("There is no Blender at %s; looking elsewhere.", wanted)
    if program is None and background and importlib.util.find_spec("bpy") is not None:
        return _module()
    if program is None:
        program = _which(os.environ.get("PATH", ""))
    if program is None:
        return _module()
    return _version(program)


def _program(wanted: str) -> Path | None:
    path = Path(wanted).expanduser()
    if path.is_file():
        return path.absolute()
    return _which(wanted)


def _which(folders: str) -> Path | None:
    for name in ("blender", "Blender"):
        found = shutil.which(name, path=folders)
        if found is not None:
            # Not resolved: a link may be a launcher that looks at its own name (snap).
            return Path(found).absolute()
    return None


def _version(program: Path) -> dict[str, Any] | None:
    found = _ask_version(program, program.stat().st_mtime_ns)
    if found is None:
        _ask_version.cache_clear()  # it may do better once the machine is less busy
        return None
    return {"path": program, "major": found[0], "minor": found[1], "kind": "binary"}


@functools.lru_cache
def _ask_version(program: Path, changed: int) -> tuple[int, int] | None:
    """Return major and minor version; asked once for each state of the file (`changed`)."""
    try:
        out = subprocess.run(
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=True,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError) as err:
        logger.warning("%s does not tell its version: %s", program, err)
        return None
    match = _VERSION.search(out)
    if match is None:
        logger.warning("%s does not seem to be Blender.", program)
        return None
    return int(match[1]), int(match[2])


def _module() -> dict[str, Any] | None:
    if importlib.util.find_spec("bpy") is None:
        logger.warning("There is no Blender: neither a program nor the bpy module of this Python.")
        return None
    try:
        major, minor, *_ = importlib.metadata.version("bpy").split(".")
    except importlib.metadata.PackageNotFoundError:
        major, minor = "0", "0"
    return {
        "path": Path(sys.executable),
        "major": int(major),
        "minor": int(minor),
        "kind": "module",
    }
