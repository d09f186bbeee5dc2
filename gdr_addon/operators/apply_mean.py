# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the scene the parameters that the run has found."""

from __future__ import annotations

import bpy
import numpy as np

from .. import ids, scenes
from ..run import controller


class GDR_OT_apply_mean(bpy.types.Operator):
    """Show the middle of what the run has found in the scene"""

    bl_idname = ids.APPLY_MEAN
    bl_label = "Apply Mean"
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
        """Apply them."""
        run = controller.newest()
        means = np.array([[run.parameters[name].now.mean for name in run.sampler.names]])
        row = run.sampler.rows(means, 0, "preview")[0]
        name = scenes.module(run.sampler.scene.name).apply(context, row)
        self.report({"INFO"}, f"Applied to {name}")
        return {"FINISHED"}
