# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to the machine and not to the file: the trainer's Python, workers, folders."""

# No "from __future__ import annotations" here: Blender reads the annotations as values.
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty

from ...gdr_core.packages import TRAINER_PACKAGES
from .. import ids, registration, text

PYTHON_VARIABLE = "GDR_TRAINER_PYTHON"
"""Environment variable with the trainer's Python where the preferences name none."""

WORKER_SETTINGS = ("pool", "workers", "worker_memory", "recycle_after")
"""Those of :class:`gdr_core.settings.RenderSettings` that belong to the machine."""

NO_PYTHON = (
    "The trainer needs a Python with PyTorch of its own. "
    "Choose it in the preferences of the extension."
)


def _keep_absolute(self, context: bpy.types.Context) -> None:
    """Make a path that is relative to the open file one that is good for every file."""
    for name in ("trainer_python", "runs_folder"):
        path = getattr(self, name)
        if path.startswith("//") and bpy.data.filepath:
            setattr(self, name, os.path.abspath(bpy.path.abspath(path)))


class GDR_AP_preferences(bpy.types.AddonPreferences):
    """The extension's preferences."""

    bl_idname = ids.ROOT_PACKAGE

    trainer_python: StringProperty(
        name="Trainer's Python",
        description="Python executable of an environment with PyTorch, for the trainer",
        subtype="FILE_PATH",
        update=_keep_absolute,
    )
    keep_trainer: IntProperty(
        name="Keep Trainer (Minutes)",
        description="How long the trainer and its render workers stay after a run, so that the "
        "next one starts at once; until then they take some memory. 0 to end them with the run",
        default=5,
        min=0,
        max=240,
    )
    pool: EnumProperty(
        name="Render On",
        description="Where a run's render workers are",
        items=(
            ("local", "This Computer", "Workers on this computer"),
            (
                "ray",
                "Ray Cluster",
                "Workers on the computers of a Ray cluster; the trainer's Python needs Ray, and "
                "each computer the same version of gdr",
            ),
        ),
        default="local",
    )
    ray_address: StringProperty(
        name="Cluster",
        description="Address of the Ray cluster, HOST:PORT as ray start --head names it; empty for "
        "that of the environment variable RAY_ADDRESS, or for a cluster of this computer alone",
    )
    workers: IntProperty(
        name="Workers",
        description="Render workers of a run, 0 to choose by the cores and memory that there are",
        default=0,
        min=0,
        soft_max=64,
    )
    worker_memory: IntProperty(
        name="Memory a Worker (MB)",
        description="A render worker that uses more memory is replaced, 0 for no limit",
        default=0,
        min=0,
    )
    recycle_after: IntProperty(
        name="Renew Workers After",
        description="Images after which a render worker is replaced by a fresh one, for scenes "
        "that take more and more memory; 0 for never",
        default=0,
        min=0,
    )
    runs_folder: StringProperty(
        name="Folder for Runs",
        description="Where each run gets a folder of its own; empty for gdr-runs in your home "
        "folder",
        subtype="DIR_PATH",
        update=_keep_absolute,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the extension's preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "trainer_python")
        row = layout.row()
        row.alignment = "RIGHT"
        row.operator(ids.CHECK_TRAINER, text="Check", icon="CHECKMARK")
        check = context.window_manager.gdr_trainer_check
        if check.text:
            icon = {"RUNNING": "TIME", "GOOD": "CHECKMARK"}.get(check.status, "ERROR")
            text.draw(layout, context, check.text, icon=icon)
        elif not trainer_python(context):
            text.draw(layout, context, _HOW_TO_GET_PYTHON, icon="INFO")
        elif not self.trainer_python:
            text.draw(layout, context, f"Using {trainer_python(context)}, from {PYTHON_VARIABLE}")
        column = layout.column(align=True)
        for name in WORKER_SETTINGS:
            column.prop(self, name)
            if name == "pool" and self.pool == "ray":
                column.prop(self, "ray_address")
        column.prop(self, "keep_trainer")
        layout.prop(self, "runs_folder")
        if not self.runs_folder:
            text.draw(layout, context, f"Runs go to {runs_folder(context)}")


_MAKE_PYTHON, _PYTHON_MADE = (
    ("py -m venv gdr-env", r"gdr-env\Scripts\python")
    if sys.platform == "win32"
    else ("python3 -m venv gdr-env", "gdr-env/bin/python")
)
_HOW_TO_GET_PYTHON = (
    f"Make one in a terminal, with Python 3.11 or later, and choose {_PYTHON_MADE}:\n"
    f"{_MAKE_PYTHON}\n"
    f"{_PYTHON_MADE} -m pip install {' '.join(TRAINER_PACKAGES)}\n"
    "In the project's folder, make blender does all of this."
)


def of(context: bpy.types.Context) -> GDR_AP_preferences | None:
    """Return the preferences, or None where the package is no enabled extension (tests)."""
    addon = context.preferences.addons.get(ids.ROOT_PACKAGE)
    return addon.preferences if addon else None


def trainer_python(context: bpy.types.Context) -> str:
    """Return the trainer's Python, or "" when there is none to be found."""
    preferences = of(context)
    chosen = preferences.trainer_python if preferences else ""
    path = bpy.path.abspath(chosen) if chosen else os.environ.get(PYTHON_VARIABLE, "")
    # Path.is_file raises where a folder above may not be entered.
    return path if path and os.path.isfile(path) else ""


def python_problem(context: bpy.types.Context) -> str:
    """Return the sentence that says why there is no Python for the trainer, or ""."""
    if trainer_python(context):
        return ""
    preferences = of(context)
    if preferences and preferences.trainer_python:
        return (
            f"There is no Python program at {preferences.trainer_python}. "
            f"Choose the trainer's Python in the preferences of the extension."
        )
    return NO_PYTHON


def worker_settings(context: bpy.types.Context) -> dict[str, int | str]:
    """Return how render workers are kept on this machine, by :data:`WORKER_SETTINGS`."""
    preferences = of(context)
    return {name: getattr(preferences, name) for name in WORKER_SETTINGS} if preferences else {}


def ray_address(context: bpy.types.Context) -> str:
    """Return the address of the cluster to render on, "" for that of the environment."""
    preferences = of(context)
    on_cluster = preferences and preferences.pool == "ray"
    return preferences.ray_address.strip() if on_cluster else ""


def keep_seconds(context: bpy.types.Context) -> float:
    """Return for how long the trainer stays after a run."""
    preferences = of(context)
    return 60.0 * preferences.keep_trainer if preferences else 0.0


def trainer_choice(context: bpy.types.Context) -> tuple[str | int, ...]:
    """Return the preferences that a trainer is started by, to be compared."""
    preferences = of(context)
    names = ("trainer_python", "keep_trainer", "pool", "ray_address")
    return tuple(getattr(preferences, name) for name in names) if preferences else ()


def runs_folder(context: bpy.types.Context) -> Path:
    """Return the folder that holds the run folders; it need not exist yet."""
    preferences = of(context)
    if preferences and preferences.runs_folder:
        return Path(os.path.abspath(bpy.path.abspath(preferences.runs_folder)))
    # Not Blender's folder for extensions' files: that goes with the extension.
    return Path.home() / "gdr-runs"


def register(stack: ExitStack) -> None:
    """Add the preferences."""
    registration.classes(stack, (GDR_AP_preferences,))
