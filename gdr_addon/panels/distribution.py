# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters: which are optimised, and from where."""

from __future__ import annotations

import bpy

from .. import ids, text
from ..run import controller
from ..settings import defaults
from .sidebar import Sidebar


class GDR_UL_parameters(bpy.types.UIList):
    """One row a parameter: its name, what becomes of it, and where it is."""

    bl_idname = ids.LIST_PARAMETERS

    def draw_item(
        self, context, layout, _data, item, _icon, _active_data, _active_property, _index=0, _flt=0
    ) -> None:
        """Draw one row."""
        split = layout.split(factor=0.18)
        split.label(text=item.name, translate=False)
        split = split.split(factor=0.5)
        split.prop(item, "mode", text="")
        live = controller.newest().parameters.get(item.name)
        if item.mode == "FIX":
            split.prop(item, "value", text="", emboss=False)
        elif live is not None:
            split.label(text=text.readable_range(live.now), translate=False)
        else:
            split.label(text=text.readable_range(item.distribution_of()), translate=False)


class GDR_PT_distribution(Sidebar, bpy.types.Panel):
    """The list of the parameters."""

    bl_idname = ids.PANEL_DISTRIBUTION
    bl_label = "Distribution"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the list."""
        layout = self.layout
        gdr = context.scene.gdr
        if not defaults.is_filled(context.scene):
            defaults.ensure_soon()
        layout.template_list(
            ids.LIST_PARAMETERS, "", gdr, "parameters", gdr, "active_parameter", rows=7
        )
        layout.operator(ids.RESET_PARAMETERS, icon="LOOP_BACK")


class GDR_PT_parameter(Sidebar, bpy.types.Panel):
    """The selected parameter in full."""

    bl_idname = ids.PANEL_PARAMETER
    bl_parent_id = ids.PANEL_DISTRIBUTION
    bl_label = "Parameter"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it when a parameter is selected."""
        return _selected(context.scene.gdr) is not None

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Name the parameter in the header."""
        _draw_name(self.layout, _selected(context.scene.gdr))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw its settings and where it is now."""
        layout = self.split
        item = _selected(context.scene.gdr)
        layout.row().prop(item, "mode", expand=True)
        if item.mode == "FIX":
            layout.prop(item, "value")
        else:
            self._draw_start(layout, item)
        live = controller.newest().parameters.get(item.name)
        if live is not None:
            self._draw_live(layout, live.now)

    def _draw_start(self, layout, item) -> None:
        layout.prop(item, "family")
        if item.family == "bounded":
            column = layout.column(align=True)
            column.prop(item, "low", text="Bounds")
            column.prop(item, "high", text=" ")
        column = layout.column(align=True)
        column.prop(item, "start_value")
        column.prop(item, "start_low")
        column.prop(item, "start_high")
        column = layout.column(align=True)
        column.prop(item, "mean", text="Internal Mean")
        column.prop(item, "std")

    def _draw_live(self, layout, now) -> None:
        column = layout.column(align=True)
        for label, words in (
            ("Now", text.number(now.readable()[1])),
            ("From, To", text.readable_range(now)),
            ("Internal", text.internal(now)),
        ):
            split = column.split(factor=0.4)
            row = split.row()
            row.alignment = "RIGHT"
            row.label(text=label)
            split.label(text=words, translate=False)


class GDR_PT_hidden_parameter(Sidebar, bpy.types.Panel):
    """The selected parameter of the hidden targets."""

    bl_idname = ids.PANEL_HIDDEN_PARAMETER
    bl_parent_id = ids.PANEL_DISTRIBUTION
    bl_label = "Hidden Target"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Show it when there are hidden targets and a parameter is selected."""
        gdr = context.scene.gdr
        return gdr.target == "HIDDEN" and _selected(gdr) is not None

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draw the switch."""
        self.layout.prop(_selected(context.scene.gdr), "hidden", text="")

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Name the parameter in the header."""
        _draw_name(self.layout, _selected(context.scene.gdr))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the distribution that the run is not told."""
        layout = self.split
        item = _selected(context.scene.gdr)
        layout.active = item.hidden
        column = layout.column(align=True)
        column.prop(item, "hidden_value", text="Value")
        column.prop(item, "hidden_low")
        column.prop(item, "hidden_high")
        column = layout.column(align=True)
        column.prop(item, "hidden_mean", text="Internal Mean")
        column.prop(item, "hidden_std")


def _draw_name(layout: bpy.types.UILayout, item) -> None:
    parameter = defaults.parameter_of(item.name)
    layout.label(text=parameter.label if parameter else item.name, translate=False)


def _selected(gdr):
    index = gdr.active_parameter
    return gdr.parameters[index] if 0 <= index < len(gdr.parameters) else None
