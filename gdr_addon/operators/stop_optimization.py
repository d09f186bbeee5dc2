# SPDX-License-Identifier: GPL-3.0-or-later
"""End the run."""

from __future__ import annotations

import bpy

from .. import ids
from ..run import controller


class GDR_OT_stop_optimization(bpy.types.Operator):
    """End the run; what it has reached is kept"""

    bl_idname = ids.STOP
    bl_label = "Stop"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it while a run is at work."""
        if controller.active() and controller.newest().status != "STOPPING":
            return True
        cls.poll_message_set("No run is at work, or it is stopping already")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the trainer; it answers when it has."""
        controller.stop()
        return {"FINISHED"}
