# SPDX-License-Identifier: GPL-3.0-or-later
"""Install a build of the extension into Blender and open Blender on a scene ready for a run.

The extension is told to use this very Python for its trainer.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gdr_core.errors import GdrError
from trainer.rendering import blender as blenders

TOOLS = Path(__file__).resolve().parent
INSTALL = ("--command", "extension", "install-file", "--repo", "user_default", "--enable")


def main() -> int:
    try:
        blender = blenders.find(module=False)
    except GdrError as error:
        print(error)
        return 1
    # Not the resolved path: the environment's own Python is often a link to the system's.
    python = str(Path(sys.executable).absolute())
    settle = [blender, "--background", "--python-exit-code", "1"]
    settle += ["--python", str(TOOLS / "set_trainer_python.py"), "--", python]
    # Absolute: some launchers (snap, containers) start Blender in another folder.
    archive = str(Path(sys.argv[1]).absolute())
    for command in ([blender, *INSTALL, archive], settle):
        if subprocess.run(command).returncode:
            print(f"This failed: {' '.join(command)}")
            return 1
    print("Blender opens; the panel is in the 3D View's sidebar (N), under GDR.")
    return subprocess.run([blender, "--python", str(TOOLS / "show_panel.py")]).returncode


if __name__ == "__main__":
    sys.exit(main())
