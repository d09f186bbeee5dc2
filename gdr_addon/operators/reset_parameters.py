# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the parameters to the reference method's start."""

from __future__ import annotations

import bpy

from .. import ids
from ..settings import defaults


class GDR_OT_reset_parameters(bpy.types.Operator):
    """Set all parameters, and the hidden distribution, to those of the demo"""

    bl_idname = ids.RESET_PARAMETERS
    bl_label = "Reset Parameters"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reset them."""
        defaults.reset(context.scene)
        return {"FINISHED"}
