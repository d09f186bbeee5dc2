# SPDX-License-Identifier: GPL-3.0-or-later
"""Go on with the run."""

from __future__ import annotations

import bpy

from .. import ids
from ..run import controller


class GDR_OT_resume_optimization(bpy.types.Operator):
    """Go on with the run"""

    bl_idname = ids.RESUME
    bl_label = "Resume"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it while a run holds."""
        if controller.active() and controller.newest().status == "PAUSED":
            return True
        cls.poll_message_set("No run is paused")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the trainer; it answers when it has."""
        controller.resume()
        return {"FINISHED"}
