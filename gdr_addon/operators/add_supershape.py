# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a supershape to the scene."""

from __future__ import annotations

import bpy

from ...gdr_core.supershape.parameters import NAMES, from_values
from .. import ids
from ..scenes.supershape import shape
from ..settings import from_scene


class GDR_OT_add_supershape(bpy.types.Operator):
    """Add a supershape with the parameters that the run starts from"""

    bl_idname = ids.ADD_SUPERSHAPE
    bl_label = "Add Supershape"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it in object mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave Edit Mode first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the object, and make it the active one."""
        settings = from_scene.to_settings(context.scene, with_camera=False)
        starts = {name: settings.start_of(name) for name in NAMES}
        values = {
            name: start.distribution.to_value(start.distribution.mean)
            if start.distribution
            else start.value
            for name, start in starts.items()
        }
        shape.add(context, from_values(values))
        return {"FINISHED"}
