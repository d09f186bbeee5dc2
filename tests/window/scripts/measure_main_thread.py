# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a run go on, and give back how long each of the extension's timer calls took.

Arguments: steps, rows of the preview.
"""

import importlib
import sys

import bpy
import extension
from drive import run, show_sidebar, until

STEPS, ROWS = map(int, sys.argv[sys.argv.index("--") + 1 :])


def steps():
    yield from show_sidebar("GDR")
    gdr = bpy.context.scene.gdr
    gdr.estimator = "adversarial"  # Does not end by itself.
    gdr.steps, gdr.preview_rows = STEPS, ROWS
    yield from extension.start(wait_for_step=0)
    yield from until(extension.ended, 800, "the end")
    timer = importlib.import_module(f"{extension.MODULE}.gdr_addon.run.controller")
    return {
        **extension.outcome(),
        "blender": bpy.app.version_string,
        "wall": [wall for wall, _ in timer.durations],
        "thread": [thread for _, thread in timer.durations],
    }


run(steps)
