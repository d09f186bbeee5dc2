# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where Start Optimization is on the display, and wait for a run that somebody starts."""

import json

import bpy
import extension
from drive import FOLDER, find_button, main_window, move, region, run, show_sidebar, until


def steps():
    yield from show_sidebar("GDR")
    gdr = bpy.context.scene.gdr
    gdr.steps, gdr.batch, gdr.size, gdr.hidden_count = 2, 8, "32", 8
    x, y = yield from find_button("gdr.start_optimization")
    view = region("VIEW_3D", "WINDOW")
    yield from move(view.x + 50, view.y + 50)
    window = main_window()
    # The window's pixels count from below, and the window manager gave it a title bar.
    partial = FOLDER / "place.partial"
    partial.write_text(json.dumps([window.x + x, _screen_height() - window.y - y]))
    partial.rename(FOLDER / "place.json")
    yield from until(lambda: extension.gdr_run().status != "IDLE", 60, "somebody clicks")
    yield from until(extension.ended, 100, "the end")
    yield from extension.no_process_left()
    return extension.outcome()


def _screen_height():
    from screen import read_screen

    return read_screen(FOLDER)[1]


run(steps)
