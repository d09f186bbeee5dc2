# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the preview out of the scene."""

from __future__ import annotations

import bpy

from .. import ids, scenes
from ..run import controller


class GDR_OT_remove_preview(bpy.types.Operator):
    """Remove the preview's shapes and contact sheet from the scene"""

    bl_idname = ids.REMOVE_PREVIEW
    bl_label = "Remove Preview"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when there is a preview, and no run that fills it."""
        if controller.active():
            cls.poll_message_set("The run at work shows its samples there; stop it first")
            return False
        if scenes.module().preview_module().find(context.scene) is None:
            cls.poll_message_set("There is no preview in this scene")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it."""
        scenes.module().preview_module().remove(context.scene)
        return {"FINISHED"}
