# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a supershape the parameters that the run has found."""

from __future__ import annotations

import bpy

from ...gdr_core.supershape.parameters import from_values
from .. import ids
from ..run import controller
from ..scenes.supershape import shape as supershape_object


class GDR_OT_apply_mean(bpy.types.Operator):
    """Give the selected supershape, or a new one, the middle of what the run has found"""

    bl_idname = ids.APPLY_MEAN
    bl_label = "Apply Mean to Shape"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when a run has parameters to apply."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave Edit Mode first")
            return False
        if not controller.newest().parameters:
            cls.poll_message_set("There is no result yet; start an optimization first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move the points of the supershape, or add one."""
        view = controller.newest()
        values = {p.name: p.now.to_value(p.now.mean) for p in view.parameters}
        parameters = from_values({**view.fixed, **values})
        shape = supershape_object.chosen(context)
        if shape is None:
            shape = supershape_object.add(context, parameters)
        else:
            supershape_object.set_parameters(shape, parameters)
        self.report({"INFO"}, f"Applied to {shape.name}")
        return {"FINISHED"}
