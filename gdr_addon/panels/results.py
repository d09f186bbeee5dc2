# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the run."""

from __future__ import annotations

import bpy

from ...gdr_core import sentences
from .. import ids, scenes, text
from ..run import controller
from ..run.run_state import RunState
from .sidebar import Sidebar


class GDR_PT_results(Sidebar, bpy.types.Panel):
    """Start, now and truth, and what can be done with it."""

    bl_idname = ids.PANEL_RESULTS
    bl_label = "Results"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the table and the buttons."""
        layout = self.layout
        run = controller.newest()
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

    def _draw_table(self, run: RunState) -> None:
        truth = any(parameter.truth for parameter in run.parameters.values())
        column = self.layout.column(align=True)
        _row(column, "", ("Start", "Now", "Truth") if truth else ("Start", "Now"))
        for name, parameter in run.parameters.items():
            shown = [parameter.start, parameter.now]
            if truth:
                shown.append(parameter.truth)
            line = column.column(align=True)
            line.active = not parameter.undetermined
            _row(line, name, [text.number(d.readable()[1]) if d else "" for d in shown])
            dim = column.column(align=True)
            dim.active = False
            _row(dim, "", [text.internal(d) if d else "" for d in shown])
        if run.renders:
            row = self.layout.row()
            row.active = False
            row.label(text=f"Steps: {run.step}, renders: {run.renders}")

    def _draw_errors(self, context: bpy.types.Context, run: RunState) -> None:
        """Draw how well each parameter is known, in internal units."""
        lines = []
        for name, parameter in run.parameters.items():
            errors = (parameter.mean_error, parameter.std_error)
            if None not in errors and not parameter.undetermined:
                lines.append(text.with_errors(name, parameter.now, *errors))
        if lines:
            column = self.layout.column(align=True)
            column.active = False
            for line in ("Internal, with standard errors:", *lines):
                text.draw(column, context, line)
        undetermined = sentences.undetermined(
            [name for name, parameter in run.parameters.items() if parameter.undetermined]
        )
        if undetermined:
            text.draw(self.layout, context, undetermined, icon="QUESTION")
        for sentence in run.trade_offs:
            text.draw(self.layout, context, sentence, icon="QUESTION")

    def _draw_comparison(self, context: bpy.types.Context, run: RunState) -> None:
        """Draw how well renders are told from targets, and by what."""
        if run.comparison:
            icon = "CHECKMARK" if run.indistinguishable else "INFO"
            text.draw(self.layout, context, run.comparison, icon=icon)
        for sentence in run.differences:
            text.draw(self.layout, context, sentence, icon="DOT")


def _row(layout, name: str, cells) -> None:
    split = layout.split(factor=0.16, align=True)
    split.label(text=name, translate=False)
    row = split.row(align=True)
    for cell in cells:
        row.label(text=cell, translate=False)
