# SPDX-License-Identifier: GPL-3.0-or-later
"""What the renders shall look like."""

from __future__ import annotations

import bpy

from .. import ids, text
from ..run import contact_sheet, controller
from ..settings import defaults
from .sidebar import Sidebar


class GDR_PT_target(Sidebar, bpy.types.Panel):
    """The target images: a folder, or a hidden distribution."""

    bl_idname = ids.PANEL_TARGET
    bl_label = "Target"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw where the targets come from, and those of the newest run."""
        layout = self.layout
        gdr = context.scene.gdr
        if not defaults.is_filled(context.scene):
            defaults.ensure_soon()
        layout.row().prop(gdr, "target", expand=True)
        if gdr.target == "FOLDER":
            layout.prop(gdr, "folder", text="")
        else:
            self._draw_hidden(gdr)
        self._draw_sheet(context)

    def _draw_hidden(self, gdr) -> None:
        layout = self.split
        layout.prop(gdr, "hidden_count")
        for item in gdr.parameters:
            if item.hidden:
                row = layout.row(align=True)
                row.prop(item, "hidden_value", text=item.name)
                row.prop(item, "hidden_std", text="")

    def _draw_sheet(self, context: bpy.types.Context) -> None:
        run = controller.newest()
        if run.target_count:
            layout = self.layout
            layout.label(text=f"{run.target_count} images in the newest run")
            icon = contact_sheet.icon()
            if icon:
                layout.template_icon(icon_value=icon, scale=8.0)
        if run.target_note:
            text.draw(self.layout, context, run.target_note, icon="INFO")
