# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a run."""

from __future__ import annotations

import logging

import bpy

from ...blendtorch.errors import BlendtorchError
from ...gdr_core.errors import BadSettings
from ...gdr_core.messages import RunStatus
from .. import ids, scenes, text
from ..run import controller
from ..run.run_state import RunState
from ..settings import defaults, preferences
from ..settings.from_scene import problem, to_settings

log = logging.getLogger(__name__)


class GDR_OT_start_optimization(bpy.types.Operator):
    """Find the distribution of the parameters that gives images like the targets"""

    bl_idname = ids.START
    bl_label = "Start Optimization"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Allow it when no run is at work and there is nothing to mend first."""
        if controller.active():
            cls.poll_message_set("A run is at work already")
            return False
        obstacle = preferences.python_problem(context) or problem(context.scene)
        if obstacle:
            cls.poll_message_set(obstacle.rstrip("."))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the trainer; under ``--background``, also wait for its end."""
        defaults.ensure(context.scene)
        try:
            workers = preferences.worker_settings(context)
            # The computers of a cluster have Blenders of their own.
            on_cluster = workers.get("pool") == "ray"
            own_blender = "" if on_cluster else bpy.app.binary_path or "bpy"
            settings = to_settings(context.scene, blender=own_blender, **workers)
            settings.check()
            controller.start(
                context,
                settings,
                preferences.trainer_python(context),
                preferences.runs_folder(context),
                preferences.keep_seconds(context),
                preferences.ray_address(context),
            )
        except BadSettings as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except (OSError, BlendtorchError) as error:
            log.exception("The trainer was not started.")
            self.report({"ERROR"}, f"The trainer cannot be started: {error}")
            return {"CANCELLED"}
        if bpy.app.background:
            return self._wait()
        if context.scene.gdr.use_preview and context.scene.gdr.preview_frame:
            scenes.module().preview_module().frame_area(context)
        return {"FINISHED"}

    def _wait(self) -> set[str]:
        def report(run: RunState) -> None:
            log.info("%s %d/%d %s", run.status, run.step, run.steps, text.one_line(run.message))

        run = controller.poll_blocking(report)
        good = run.status == RunStatus.DONE
        self.report({"INFO"} if good else {"ERROR"}, run.message)
        return {"FINISHED"} if good else {"CANCELLED"}
