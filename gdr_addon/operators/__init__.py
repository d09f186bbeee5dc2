# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person can do, one file a verb."""

from __future__ import annotations

from contextlib import ExitStack

from .. import registration
from .apply_mean import GDR_OT_apply_mean
from .check_trainer import GDR_OT_check_trainer
from .frame_preview import GDR_OT_frame_preview
from .open_log import GDR_OT_open_log
from .open_preferences import GDR_OT_open_preferences
from .open_run_folder import GDR_OT_open_run_folder
from .pause_optimization import GDR_OT_pause_optimization
from .remove_preview import GDR_OT_remove_preview
from .reset_parameters import GDR_OT_reset_parameters
from .resume_optimization import GDR_OT_resume_optimization
from .start_optimization import GDR_OT_start_optimization
from .stop_optimization import GDR_OT_stop_optimization

CLASSES = (
    GDR_OT_apply_mean,
    GDR_OT_check_trainer,
    GDR_OT_frame_preview,
    GDR_OT_open_log,
    GDR_OT_open_preferences,
    GDR_OT_open_run_folder,
    GDR_OT_pause_optimization,
    GDR_OT_remove_preview,
    GDR_OT_reset_parameters,
    GDR_OT_resume_optimization,
    GDR_OT_start_optimization,
    GDR_OT_stop_optimization,
)


def register(stack: ExitStack) -> None:
    """Add the operators."""
    registration.classes(stack, CLASSES)
