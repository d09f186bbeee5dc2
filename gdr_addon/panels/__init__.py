# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees: the GDR tab of the 3D View's sidebar."""

from __future__ import annotations

from contextlib import ExitStack

from .. import registration
from .distribution import (
    GDR_PT_distribution,
    GDR_PT_hidden_parameter,
    GDR_PT_parameter,
    GDR_UL_parameters,
)
from .results import GDR_PT_results
from .run import GDR_PT_run
from .target import GDR_PT_target
from .training import GDR_PT_preview, GDR_PT_rendering, GDR_PT_training

CLASSES = (
    GDR_UL_parameters,
    GDR_PT_run,
    GDR_PT_target,
    GDR_PT_distribution,
    GDR_PT_parameter,
    GDR_PT_hidden_parameter,
    GDR_PT_training,
    GDR_PT_rendering,
    GDR_PT_preview,
    GDR_PT_results,
)


def register(stack: ExitStack) -> None:
    """Add the panels, in the order in which they stand."""
    registration.classes(stack, CLASSES)
