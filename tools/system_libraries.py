# SPDX-License-Identifier: GPL-3.0-or-later
"""Install, or with --check only name, the system libraries that the bpy module needs on Linux."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import debian

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trainer.rendering.system_libraries import LIBRARIES, missing_libraries

# Draws where there is no GPU; it has no library of its own to look for.
DRIVERS = ("libgl1-mesa-dri",)


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
