# SPDX-License-Identifier: GPL-3.0-or-later
"""How the distribution is found, and how it is shown meanwhile."""

from __future__ import annotations

import bpy

from ...gdr_core.sampling import settled_samples
from .. import ids, scenes
from .sidebar import Sidebar


class GDR_PT_training(Sidebar, bpy.types.Panel):
    """The run's settings."""

    bl_idname = ids.PANEL_TRAINING
    bl_label = "Training"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the estimator's and the renderer's settings."""
        layout = self.split
        gdr = context.scene.gdr
        layout.prop(gdr, "estimator")
        column = layout.column(align=True)
        column.prop(gdr, "steps")
        column.prop(gdr, "batch")
        column.prop(gdr, "max_renders")
        layout.prop(gdr, "seed")
        layout.prop(gdr, "size")


class GDR_PT_rendering(Sidebar, bpy.types.Panel):
    """How parameters become images."""

    bl_idname = ids.PANEL_RENDERING
    bl_parent_id = ids.PANEL_TRAINING
    bl_label = "Rendering"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the renderer's settings."""
        layout = self.split
        gdr = context.scene.gdr
        layout.prop(gdr, "renderer")
        layout.prop(gdr, "samples")
        if not gdr.samples:
            own = settled_samples(gdr.renderer, None)
            _below(layout, f"Automatic: {own}")
        if gdr.renderer == "cycles":
            layout.prop(gdr, "denoise")
            layout.prop(gdr, "render_device")
        scenes.module().draw_options(layout, context.scene)


class GDR_PT_preview(Sidebar, bpy.types.Panel):
    """The newest samples in the viewport."""

    bl_idname = ids.PANEL_PREVIEW
    bl_parent_id = ids.PANEL_TRAINING
    bl_label = "Preview"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draw the switch."""
        self.layout.prop(context.scene.gdr, "use_preview", text="")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the preview's settings."""
        layout = self.split
        gdr = context.scene.gdr
        column = layout.column()
        column.active = gdr.use_preview
        column.prop(gdr, "preview_rows")
        column.prop(gdr, "preview_frame")
        column.prop(gdr, "preview_keep")
        row = layout.row(align=True)
        row.operator(ids.FRAME_PREVIEW, text="Frame", icon="ZOOM_SELECTED")
        row.operator(ids.REMOVE_PREVIEW, text="Remove", icon="TRASH")


def _below(layout: bpy.types.UILayout, text: str) -> None:
    """Draw a text below the value of the property above it."""
    split = layout.split(factor=0.4)
    split.active = False
    split.label()
    split.label(text=text)
