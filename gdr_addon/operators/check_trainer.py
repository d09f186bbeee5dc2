# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the trainer's Python what it has."""

from __future__ import annotations

import bpy

from .. import ids
from ..run import kept_trainer, trainer_check
from ..settings import preferences


class GDR_OT_check_trainer(bpy.types.Operator):
    """See whether the trainer's Python has what it needs, and which device it will use"""

    bl_idname = ids.CHECK_TRAINER
    bl_label = "Check Trainer's Python"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when there is a Python and no check is at work."""
        if trainer_check.running():
            cls.poll_message_set("A check is at work already")
            return False
        if not preferences.trainer_python(context):
            cls.poll_message_set("Choose the trainer's Python first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the check; its result arrives later."""
        kept_trainer.let_go()  # What is checked may have changed since it started.
        try:
            trainer_check.begin(preferences.trainer_python(context), bpy.app.binary_path or "bpy")
        except OSError as error:
            self.report({"ERROR"}, f"This Python cannot be started: {error}")
            return {"CANCELLED"}
        return {"FINISHED"}
