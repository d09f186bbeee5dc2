# SPDX-License-Identifier: GPL-3.0-or-later
"""What the run has found."""

from __future__ import annotations

import bpy

from ...gdr_core import sentences
from .. import ids, text
from ..run import run_state
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
            self._draw_errors(context, run)
            self._draw_comparison(context, run)
        else:
            text.draw(layout, context, "Start an optimization to see its results here.")
        column = layout.column(align=True)
        column.operator(ids.APPLY_MEAN, icon="CON_TRANSLIKE")
        scenes.module().draw_results(column)
        column.operator(ids.OPEN_RUN_FOLDER, icon="FILE_FOLDER")

    def _draw_table(self, run) -> None:
        truth = any(item.truth_known for item in run.parameters)
        column = self.layout.column(align=True)
        _row(column, "", ("Start", "Now", "Truth") if truth else ("Start", "Now"))
        for item in run.parameters:
            shown = [item.distribution("start_"), item.distribution()]
            if truth:
                shown.append(item.distribution("truth_") if item.truth_known else None)
            line = column.column(align=True)
            line.active = not item.undetermined
            _row(line, item.name, [text.number(d.readable()[1]) if d else "" for d in shown])
            dim = column.column(align=True)
            dim.active = False
            _row(dim, "", [text.internal(d) if d else "" for d in shown])
        if run.renders:
            row = self.layout.row()
            row.active = False
            row.label(text=f"Steps: {run.step}, renders: {run.renders}")

    def _draw_errors(self, context: bpy.types.Context, run) -> None:
        """Draw how well each parameter is known, in internal units."""
        known = [item for item in run.parameters if item.mean_error >= 0 and item.std_error >= 0]
        known = [item for item in known if not item.undetermined]
        if known:
            column = self.layout.column(align=True)
            column.active = False
            text.draw(column, context, "Internal, with standard errors:")
            for item in known:
                errors = (item.mean_error, item.std_error)
                words = text.with_errors(item.name, item.distribution(), *errors)
                text.draw(column, context, words)
        without = sentences.undetermined(
            [item.name for item in run.parameters if item.undetermined]
        )
        if without:
            text.draw(self.layout, context, without, icon="QUESTION")
        for sentence in run.trade_offs.splitlines():
            text.draw(self.layout, context, sentence, icon="QUESTION")

    def _draw_comparison(self, context: bpy.types.Context, run) -> None:
        """Draw how well renders are told from targets, and by what."""
        if run.comparison:
            icon = "CHECKMARK" if run.alike else "INFO"
            text.draw(self.layout, context, run.comparison, icon=icon)
        for sentence in run.differences.splitlines():
            text.draw(self.layout, context, sentence, icon="DOT")


def _row(layout, name: str, cells) -> None:
    split = layout.split(factor=0.16, align=True)
    split.label(text=name, translate=False)
    row = split.row(align=True)
    for cell in cells:
        row.label(text=cell, translate=False)
