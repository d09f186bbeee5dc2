# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the newest run's files."""

from __future__ import annotations

import os

import bpy

from .. import ids
from ..run import controller


class GDR_OT_open_run_folder(bpy.types.Operator):
    """Show the files of the run in the system's file browser"""

    bl_idname = ids.OPEN_RUN_FOLDER
    bl_label = "Open Run Folder"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when there is a run folder."""
        folder = controller.newest().folder
        if folder and os.path.isdir(folder):
            return True
        cls.poll_message_set("There is no run yet" if not folder else "The folder is gone")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the system to open the folder."""
        return bpy.ops.wm.path_open(filepath=controller.newest().folder)
