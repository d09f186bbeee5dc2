# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Blender that a person has installed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

# Where the installers for macOS and Windows put it.
USUAL_PLACES = (
    ("/Applications", "Blender*.app/Contents/MacOS/Blender"),
    (os.environ.get("PROGRAMFILES", ""), "Blender Foundation/Blender */blender.exe"),
)


def find() -> str | None:
    """GDR_BLENDER, else the one on the path, else the newest in the usual places."""
    named = os.environ.get("GDR_BLENDER")
    if named:
        return shutil.which(named)
    on_path = shutil.which("blender")
    if on_path:
        return on_path
    found = [
        str(executable)
        for folder, pattern in USUAL_PLACES
        if folder
        for executable in Path(folder).glob(pattern)
    ]
    return max(found, key=_version, default=None)


def _version(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]
