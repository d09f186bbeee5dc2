# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run has found."""

from __future__ import annotations

import bpy

from .. import ids, run_state, text
from .sidebar import Sidebar


class GDR_PT_results(Sidebar, bpy.types.Panel):
    """Start, now and truth, and what can be done with it."""

    bl_idname = ids.PANEL_RESULTS
    bl_label = "Results"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the table and the buttons."""
        layout = self.layout
        run = run_state.of(context)
        if run.parameters:
            self._draw_table(run)
        else:
            text.draw(layout, context, "Start an optimization to see its results here.")
        column = layout.column(align=True)
        column.operator(ids.APPLY_MEAN, icon="CON_TRANSLIKE")
        column.operator(ids.ADD_SUPERSHAPE, icon="MESH_UVSPHERE")
        column.operator(ids.OPEN_RUN_FOLDER, icon="FILE_FOLDER")

    def _draw_table(self, run) -> None:
        truth = any(item.truth_known for item in run.parameters)
        column = self.layout.column(align=True)
        _row(column, "", ("Start", "Now", "Truth") if truth else ("Start", "Now"))
        for item in run.parameters:
            shown = [item.distribution("start_"), item.distribution()]
            if truth:
                shown.append(item.distribution("truth_") if item.truth_known else None)
            _row(column, item.name, [text.number(d.readable()[1]) if d else "" for d in shown])
            dim = column.column(align=True)
            dim.active = False
            _row(dim, "", [text.internal(d) if d else "" for d in shown])
        if run.renders:
            row = self.layout.row()
            row.active = False
            row.label(text=f"{run.step} steps, {run.renders} renders")


def _row(layout, name: str, cells) -> None:
    split = layout.split(factor=0.16, align=True)
    split.label(text=name, translate=False)
    row = split.row(align=True)
    for cell in cells:
        row.label(text=cell, translate=False)
