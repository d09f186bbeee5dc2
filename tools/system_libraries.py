# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, or with --check only name, the system libraries that the bpy module needs on Linux."""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys

import debian

# What bpy links to or opens, beyond what every Linux has, and Debian's package with it. Later
# Debians rename some packages; asked for by the old name, apt installs the new.
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
# Draws where there is no GPU; it has no library of its own to look for.
DRIVERS = ("libgl1-mesa-dri",)


def missing_libraries() -> list[str]:
    found = []
    for name in LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            found.append(name)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    check = parser.parse_args().check
    if sys.platform != "linux":
        return 0
    libraries = missing_libraries()
    if not debian.is_debian():
        if libraries:
            debian.say(f"Blender's Python module needs, and misses: {', '.join(libraries)}")
        return 0
    packages = [LIBRARIES[name] for name in libraries] + debian.missing(DRIVERS)
    if not packages:
        return 0
    if check or not debian.can_install():
        debian.say(
            "Blender's Python module needs libraries that this system lacks; install them with: "
            f"sudo apt-get install {' '.join(packages)}"
        )
        return 0
    try:
        debian.install(packages)
    except subprocess.SubprocessError as error:
        debian.say(f"Could not install them: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
