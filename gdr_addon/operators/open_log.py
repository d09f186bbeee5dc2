# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the newest run's log inside Blender."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from ...gdr_core import shared_names
from .. import ids
from ..run import controller, trainer_process

_NAME = "GDR Log"
_MAX_BYTES = 500_000
"""Of each file; the end of a log says what went wrong, and a text editor chokes on all of it."""


class GDR_OT_open_log(bpy.types.Operator):
    """Show the log of the run in a window with a text editor"""

    bl_idname = ids.OPEN_LOG
    bl_label = "Open Log"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when the run has written anything."""
        if _logs(controller.newest().folder):
            return True
        cls.poll_message_set("The run has no log")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read what was logged and what was printed into one text."""
        try:
            parts = [
                f"==== {path} ====\n{trainer_process.tail(path, _MAX_BYTES)}"
                for path in _logs(controller.newest().folder)
            ]
        except OSError as error:
            self.report({"ERROR"}, f"The log cannot be read: {error}")
            return {"CANCELLED"}
        log = bpy.data.texts.get(_NAME) or bpy.data.texts.new(_NAME)
        log.from_string("\n".join(parts))
        if bpy.app.background:
            return {"FINISHED"}
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.ui_type = "TEXT_EDITOR"
        area.spaces.active.text = log
        return {"FINISHED"}


def _logs(folder: str) -> list[Path]:
    names = (shared_names.TRAINER_LOG, shared_names.OUTPUT_LOG)
    paths = [Path(folder) / name for name in names] if folder else []
    return [path for path in paths if os.path.isfile(path) and os.path.getsize(path)]
