# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the extension's preferences."""

from __future__ import annotations

import bpy

from .. import ids


class GDR_OT_open_preferences(bpy.types.Operator):
    """Show the preferences of this extension"""

    bl_idname = ids.OPEN_PREFERENCES
    bl_label = "Open Preferences"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open Blender's preferences at the extension."""
        return bpy.ops.preferences.addon_show(module=ids.ROOT_PACKAGE)
