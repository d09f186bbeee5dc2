# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where Start Optimization is on the display, and wait for a run that somebody starts."""

import json

import bpy
import extension
from drive import FOLDER, main_window, run, show_sidebar, until
from screen import read_screen


def steps():
    yield from show_sidebar("GDR")
    gdr = bpy.context.scene.gdr
    extension.preferences().keep_trainer = 0
    gdr.steps, gdr.batch, gdr.size, gdr.hidden_count = 2, 8, "32", 8
    yield extension.settle()
    x, y = extension.first_button()
    window = main_window()
    # X counts from the top of the display.
    partial = FOLDER / "place.partial"
    partial.write_text(json.dumps([window.x + x, read_screen(FOLDER)[1] - window.y - y]))
    partial.rename(FOLDER / "place.json")
    command = "bpy.ops.gdr.start_optimization("
    yield from until(lambda: extension.under_pointer().startswith(command), 20, "the pointer comes")
    (FOLDER / "hovered").touch()
    yield from until(lambda: extension.gdr_run().status != "IDLE", 30, "somebody clicks")
    yield from until(extension.ended, 100, "the end")
    yield from extension.no_process_left()
    return extension.outcome()


run(steps)
