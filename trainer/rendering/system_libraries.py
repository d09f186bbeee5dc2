# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's Python module links to or opens, beyond what every Linux has."""

from __future__ import annotations

import ctypes
import re
import sys

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libOpenGL.so.0": "libopengl0",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXt.so.6": "libxt6",
    "libgomp.so.1": "libgomp1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Debian's package with each. Later Debians rename some; asked for by the old name, apt installs
the new."""
_NOT_FOUND = re.compile(r"(lib[\w+.-]+\.so[.\d]*): cannot open shared object file")


def missing_libraries() -> list[str]:
    """Return the names of those that this computer lacks."""
    found = []
    for name in LIBRARIES if sys.platform == "linux" else ():
        try:
            ctypes.CDLL(name)
        except OSError:
            found.append(name)
    return found


def explain_missing(output: str) -> str:
    """Return a sentence if this is what a program printed that missed a library, else nothing."""
    named = _NOT_FOUND.search(output)
    if not named:
        return ""
    names = sorted({named[1], *missing_libraries()})
    packages = [LIBRARIES[name] for name in names if name in LIBRARIES]
    install = f" On Debian or Ubuntu: sudo apt-get install {' '.join(packages)}" if packages else ""
    return f"Blender needs libraries that this system lacks: {', '.join(names)}.{install}"
