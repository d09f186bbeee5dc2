# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the archive, click Start Optimization on a folder of images, watch it arrive.

Arguments: the archive, the folder, the trainer's Python.
"""

import sys

import bpy
import extension
from drive import click_button, run, screenshot, show_sidebar, until

ARCHIVE, FOLDER, PYTHON = sys.argv[sys.argv.index("--") + 1 :]


def steps():
    bpy.ops.extensions.package_install_files(
        filepath=ARCHIVE, repo="user_default", enable_on_install=True
    )
    extension.preferences().trainer_python = PYTHON
    extension.preferences().keep_trainer = 0
    yield from show_sidebar("GDR")
    gdr = bpy.context.scene.gdr
    yield from until(lambda: len(gdr.parameters) == 12, 5, "the scene gets its parameters")
    gdr.target, gdr.folder = "FOLDER", FOLDER
    yield extension.settle()
    screenshot("before.png")
    before = extension.own_objects()

    seen = []

    def note():
        state = extension.gdr_run().status
        if not seen or seen[-1] != state:
            seen.append(state)
        return extension.ended()

    yield from extension.start(wait_for_step=0)
    # At once: while the window draws this for the first time, a run may make all of its steps.
    first = extension.preview_points()
    yield from until(lambda: note() or extension.gdr_run().step >= 1, 60, "a step")
    yield extension.settle()
    screenshot("start.png")
    yield from until(lambda: note() or extension.gdr_run().step >= 4, 120, "the fourth step")
    screenshot("middle.png")
    yield from until(note, 300, "the end")
    yield extension.settle()
    screenshot("end.png")
    last = extension.preview_points()
    after = extension.own_objects()
    state = extension.gdr_run()
    report = {
        **extension.outcome(),
        "progress": state.progress,
        "converged": state.converged,
        "notices": state.notices,
        "renders": state.renders,
        "seen": seen,
        "targets": state.target_count,
        "folder": state.folder,
        "comparison": state.comparison,
        "differences": state.differences,
        "parameters": {
            name: [parameter.now.mean, parameter.now.std]
            for name, parameter in state.parameters.items()
        },
        "shapes": [len(first), len(last)],
        "moved": float(abs(last - first).mean()) if len(first) == len(last) else None,
        "unchanged": before == after,
        "processes": list(extension.children().values()),
    }
    yield from click_button("gdr.apply_mean")
    shape = bpy.context.view_layer.objects.active
    report["applied"] = list(shape.get("gdr_parameters", ()))
    yield extension.settle()
    screenshot("applied.png")
    return report


run(steps)
