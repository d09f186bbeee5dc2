# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that a Blender, or a Python with the ``bpy`` module, runs to be a render worker.

See ``worker.py`` for what it takes and gives.
"""

import runpy
import sys
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().with_name("standalone.py")))["load"]()

from gdr.gdr_addon.worker import main  # noqa: E402

_code = main()
if _code:  # Blender takes even sys.exit(0) for an error in its script.
    sys.exit(_code)
