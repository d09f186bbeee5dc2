# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a supershape to the scene."""

from __future__ import annotations

import bpy
import numpy as np

from ...settings import from_scene
from . import shape
from .points import split


class GDR_OT_add_supershape(bpy.types.Operator):
    """Add a supershape with the parameters that the run starts from"""

    bl_idname = "gdr.add_supershape"
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
        sampler = from_scene.to_settings(context.scene, evaluate=False).sampler()
        middle = np.array([[start.mean for start in sampler.start.values()]])
        shape.add(context, split(sampler.rows(middle, 0, "preview"))[0][0])
        return {"FINISHED"}
