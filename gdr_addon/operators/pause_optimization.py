# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the run."""

from __future__ import annotations

import bpy

from .. import ids
from ..run import controller


class GDR_OT_pause_optimization(bpy.types.Operator):
    """Hold the run before its next step"""

    bl_idname = ids.PAUSE
    bl_label = "Pause"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it while a run is at work."""
        if controller.active() and controller.newest().status in {"STARTING", "RUNNING"}:
            return True
        cls.poll_message_set("No run is at work, or it is ending already")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the trainer; it answers when it has."""
        controller.pause()
        return {"FINISHED"}
