# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, watch and end a run."""

from __future__ import annotations

import bpy

from .. import ids, text
from ..run import controller
from ..run.run_state import RunState
from ..settings import from_scene, preferences
from .sidebar import Sidebar

_ICONS = {"DONE": "CHECKMARK", "FAILED": "ERROR", "PAUSED": "PAUSE"}


class GDR_PT_run(Sidebar, bpy.types.Panel):
    """Start Optimization and all that follows."""

    bl_idname = ids.PANEL_RUN
    bl_label = "Run"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the buttons of the run's state, its progress and what it says."""
        layout = self.layout
        run = controller.newest()
        if run.active:
            self._draw_controls(run)
            self._draw_progress(run)
        else:
            row = layout.row()
            row.scale_y = 1.5
            row.operator(ids.START, icon="PLAY")
            self._draw_obstacle(context)
        if run.message:
            text.draw(layout, context, run.message, icon=icon_of(run))
        for sentence in run.notices:
            text.draw(layout, context, sentence, icon="INFO")
        if run.status == "FAILED":
            layout.operator(ids.OPEN_LOG, icon="TEXT")

    def _draw_controls(self, run: RunState) -> None:
        row = self.layout.row(align=True)
        row.scale_y = 1.5
        if run.status == "PAUSED":
            row.operator(ids.RESUME, icon="PLAY")
        else:
            row.operator(ids.PAUSE, icon="PAUSE")
        row.operator(ids.STOP, icon="SNAP_FACE")

    def _draw_progress(self, run: RunState) -> None:
        self.layout.progress(factor=run.progress, type="BAR", text=progress_of(run))

    def _draw_obstacle(self, context: bpy.types.Context) -> None:
        layout = self.layout
        obstacle = preferences.python_problem(context)
        if obstacle:
            text.draw(layout, context, obstacle, icon="INFO")
            layout.operator(ids.OPEN_PREFERENCES, icon="PREFERENCES")
            return
        obstacle = from_scene.problem(context.scene)
        if obstacle:
            text.draw(layout, context, obstacle, icon="INFO")


def icon_of(run: RunState) -> str:
    """Return the icon of the run's message; a run that did not converge has no check mark."""
    if run.status == "DONE" and run.converged is False:
        return "ERROR"
    return _ICONS.get(run.status, "NONE")


def progress_of(run: RunState) -> str:
    """Return what stands in the progress bar."""
    if not run.steps:
        return run.status.title()
    if run.converged:
        return f"Converged after {run.step} steps"
    if run.converged is not None:
        return f"Step {run.step} of at most {run.steps}"
    left = text.duration(run.eta)
    words = f"Step {run.step} of {run.steps}"
    return f"{words}, {left} left" if left and run.status == "RUNNING" else words
