# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, or with --check only name, the system libraries that the bpy module needs on Linux."""

from __future__ import annotations

import argparse
import subprocess
import sys

import debian

# What bpy's shared objects link to or open, beyond what every Debian system has.
LIBRARIES = (
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "libgomp1",
    "libice6",
    "libsm6",
    "libx11-6",
    "libxext6",
    "libxfixes3",
    "libxi6",
    "libxkbcommon0",
    "libxrender1",
    "libxt6",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    check = parser.parse_args().check
    if not debian.is_debian():
        return 0
    needed = debian.missing(LIBRARIES)
    if not needed:
        return 0
    if check or not debian.can_install():
        debian.say(
            "Blender's Python module needs libraries that this system lacks; install them with: "
            f"sudo apt-get install {' '.join(needed)}"
        )
        return 0
    try:
        debian.install(needed)
    except subprocess.SubprocessError as error:
        debian.say(f"Could not install them: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
