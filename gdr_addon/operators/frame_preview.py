# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the preview into view."""

from __future__ import annotations

import bpy

from .. import ids, scenes


class GDR_OT_frame_preview(bpy.types.Operator):
    """Move the viewport so that the preview fills it"""

    bl_idname = ids.FRAME_PREVIEW
    bl_label = "Frame Preview"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it in a 3D view when there is a preview."""
        if scenes.module().preview_module().find(context.scene) is None:
            cls.poll_message_set("There is no preview in this scene")
            return False
        if context.region_data is None or context.region_data.view_perspective == "CAMERA":
            cls.poll_message_set("This view looks through a camera")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move the view, not any camera."""
        return (
            {"FINISHED"} if scenes.module().preview_module().frame_area(context) else {"CANCELLED"}
        )
