# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds buttons of the sidebar by what they do, for scripts that run inside Blender.

Blender tells no script where its buttons are. But it knows which one is under the pointer: the
operator behind "Copy Python Command" gives the command of that button. So the pointer is moved down
the sidebar until the button is found.
"""

from collections.abc import Iterator

import bpy
from drive import area, click, main_window, move, region

STEP = 14
"""Pixels between two looks; the lowest buttons are 20 high."""
SETTLE_SECONDS = 0.12
_EDGE = 40


def find(command: str, share: float = 0.4) -> Iterator[float]:
    """`x, y = yield from find("gdr.start_optimization")`: where the button of an operator is.

    `share` is where across the sidebar to look, 0 to 1: for buttons that stand side by side.
    """
    sidebar = region("VIEW_3D", "UI")
    width = sidebar.width - _EDGE  # The tabs are on the right.
    x = round(sidebar.x + width * share)
    seen = []
    for y in range(sidebar.y + sidebar.height - 8, sidebar.y + 8, -STEP):
        yield from move(x - 2, y + 1)
        yield from move(x, y)
        yield SETTLE_SECONDS
        found = under_pointer()
        if found:
            seen.append(found)
        if found.startswith(f"bpy.ops.{command}("):
            return x, y
    raise LookupError(f"no button of {command} in the sidebar; there are {sorted(set(seen))}")


def press_button(command: str, share: float = 0.4) -> Iterator[float]:
    """`yield from press_button("gdr.start_optimization")`: find it and click it."""
    x, y = yield from find(command, share)
    yield from click(x, y)
    # Away from the button, so that no tooltip covers anything.
    view = region("VIEW_3D", "WINDOW")
    yield from move(view.x + 90, view.y + 60)


def under_pointer() -> str:
    """Return the Python command of the button under the pointer, or ""."""
    with bpy.context.temp_override(
        window=main_window(), area=area("VIEW_3D"), region=region("VIEW_3D", "UI")
    ):
        if not bpy.ops.ui.copy_python_command_button.poll():
            return ""
        bpy.ops.ui.copy_python_command_button()
    return bpy.context.window_manager.clipboard
