# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that more than one file relies on."""

from __future__ import annotations

ROOT_PACKAGE = __package__.rpartition(".")[0]
"""The extension's own package: ``bl_ext.user_default.gdr``, or ``gdr`` in the tests."""

CATEGORY = "GDR"
"""The tab of the 3D View's sidebar."""

PREVIEW_COLLECTION = "GDR Preview"
PREVIEW_SHEET = "GDR Targets"
PREVIEW_IMAGE = "GDR Targets"
PREVIEW_TAG = "gdr_preview"
"""Custom property on everything that the preview made; nothing without it is ever touched."""

# Operators
START = "gdr.start_optimization"
PAUSE = "gdr.pause_optimization"
RESUME = "gdr.resume_optimization"
STOP = "gdr.stop_optimization"
APPLY_MEAN = "gdr.apply_mean"
OPEN_RUN_FOLDER = "gdr.open_run_folder"
OPEN_LOG = "gdr.open_log"
OPEN_PREFERENCES = "gdr.open_preferences"
CHECK_TRAINER = "gdr.check_trainer"
FRAME_PREVIEW = "gdr.frame_preview"
REMOVE_PREVIEW = "gdr.remove_preview"
RESET_PARAMETERS = "gdr.reset_parameters"

# Panels
PANEL_RUN = "GDR_PT_run"
PANEL_TARGET = "GDR_PT_target"
PANEL_DISTRIBUTION = "GDR_PT_distribution"
PANEL_PARAMETER = "GDR_PT_parameter"
PANEL_HIDDEN_PARAMETER = "GDR_PT_hidden_parameter"
PANEL_TRAINING = "GDR_PT_training"
PANEL_RENDERING = "GDR_PT_rendering"
PANEL_PREVIEW = "GDR_PT_preview"
PANEL_RESULTS = "GDR_PT_results"
LIST_PARAMETERS = "GDR_UL_parameters"
