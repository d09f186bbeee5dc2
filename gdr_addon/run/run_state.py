# SPDX-License-Identifier: GPL-3.0-or-later
"""``window_manager.gdr_run``: the run's state for the panels to draw, never saved."""

# No "from __future__ import annotations" here: Blender reads the annotations as values.
from contextlib import ExitStack

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
)

from ...gdr_core.families import Distribution
from ...gdr_core.messages import ACTIVE, RunStatus
from .. import registration
from ..settings.properties import FAMILY_ITEMS, short
from .run_view import RunView

_STATUS_TEXTS = {
    RunStatus.IDLE: "Nothing runs",
    RunStatus.STARTING: "The trainer is starting",
    RunStatus.RUNNING: "The optimization is at work",
    RunStatus.PAUSED: "The optimization holds",
    RunStatus.STOPPING: "The optimization is ending",
    RunStatus.DONE: "The optimization is done",
    RunStatus.FAILED: "The optimization failed",
}


class GDR_PG_parameter_state(bpy.types.PropertyGroup):
    """One optimised parameter of the run; ``name`` is its identifier."""

    family: EnumProperty(name="Family", items=FAMILY_ITEMS)
    low: FloatProperty(name="Lower Bound")
    high: FloatProperty(name="Upper Bound")
    start_mean: FloatProperty(name="Start Mean")
    start_std: FloatProperty(name="Start Spread")
    mean: FloatProperty(name="Mean")
    std: FloatProperty(name="Spread")
    truth_known: BoolProperty(name="Truth Known")
    truth_mean: FloatProperty(name="True Mean")
    truth_std: FloatProperty(name="True Spread")
    mean_error: FloatProperty(
        name="Error of the Mean",
        description="Standard error in internal units, negative while unknown",
        default=-1.0,
    )
    std_error: FloatProperty(
        name="Error of the Spread",
        description="Standard error in internal units, negative while unknown",
        default=-1.0,
    )
    undetermined: BoolProperty(
        name="Undetermined", description="The pictures say nothing about this parameter"
    )

    def distribution(self, which: str = "") -> Distribution:
        """Return the distribution: now, or with the prefix ``start_`` or ``truth_``."""
        return Distribution(
            family=self.family,
            mean=short(getattr(self, f"{which}mean")),
            std=short(getattr(self, f"{which}std")),
            low=short(self.low),
            high=short(self.high),
        )


class GDR_PG_run(bpy.types.PropertyGroup):
    """The state of the newest run of this Blender."""

    status: EnumProperty(
        name="Status",
        items=[(str(s), s.title(), _STATUS_TEXTS[s]) for s in RunStatus],
        default="IDLE",
    )
    message: StringProperty(name="Message", description="What the run has to say")
    notices: StringProperty(
        name="Notices", description="What the run noticed on its way, a sentence a line"
    )
    note: StringProperty(name="Note", description="What there is to say about the targets")
    progress: FloatProperty(name="Progress", min=0.0, max=1.0)
    step: IntProperty(name="Step")
    steps: IntProperty(name="Steps")
    renders: IntProperty(name="Renders")
    eta: FloatProperty(
        name="Time Left", description="Estimated seconds to the end, negative while unknown"
    )
    ends_itself: BoolProperty(
        name="Ends by Itself", description="Whether the estimator says when it has converged"
    )
    converged: BoolProperty(
        name="Converged", description="Whether the estimator sees no reason to go on"
    )
    d_real: FloatProperty(name="Verdict on Targets")
    d_sim: FloatProperty(name="Verdict on Renders")
    folder: StringProperty(name="Run Folder")
    target_count: IntProperty(name="Targets")
    comparison: StringProperty(
        name="Comparison", description="How well a classifier tells the renders from the targets"
    )
    alike: BoolProperty(
        name="Alike", description="Whether the classifier may have been right by chance"
    )
    differences: StringProperty(
        name="Differences", description="What the renders do not match, a sentence a line"
    )
    trade_offs: StringProperty(
        name="Trade-Offs", description="Which parameters the pictures hardly tell apart"
    )
    parameters: CollectionProperty(type=GDR_PG_parameter_state)

    @property
    def active(self) -> bool:
        """Whether a trainer is at work."""
        return self.status in ACTIVE


def of(context: bpy.types.Context) -> GDR_PG_run:
    """Return the run's state."""
    return context.window_manager.gdr_run


def write(run: GDR_PG_run, view: RunView) -> None:
    """Copy ``view`` into Blender's property."""
    run.status = str(view.status)
    run.ends_itself, run.converged = view.converged is not None, bool(view.converged)
    for name in ("message", "notices", "note", "progress", "step", "steps", "renders", "eta"):
        setattr(run, name, getattr(view, name))
    for name in ("d_real", "d_sim", "folder", "target_count", "comparison", "alike"):
        setattr(run, name, getattr(view, name))
    for name in ("differences", "trade_offs"):
        setattr(run, name, getattr(view, name))
    items = run.parameters
    if [item.name for item in items] != [parameter.name for parameter in view.parameters]:
        items.clear()
        for parameter in view.parameters:
            items.add().name = parameter.name
    for item, parameter in zip(items, view.parameters, strict=True):
        item.family = parameter.start.family
        item.low, item.high = parameter.start.low, parameter.start.high
        item.start_mean, item.start_std = parameter.start.mean, parameter.start.std
        item.mean, item.std = parameter.now.mean, parameter.now.std
        item.mean_error, item.std_error = parameter.mean_error, parameter.std_error
        item.undetermined = parameter.undetermined
        item.truth_known = parameter.truth is not None
        if parameter.truth is not None:
            item.truth_mean, item.truth_std = parameter.truth.mean, parameter.truth.std


def register(stack: ExitStack) -> None:
    """Add ``window_manager.gdr_run``, empty."""
    registration.classes(stack, (GDR_PG_parameter_state, GDR_PG_run))
    registration.state(stack, "gdr_run", GDR_PG_run)
