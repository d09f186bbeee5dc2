# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns ``scene.gdr`` into the settings of a run."""

from __future__ import annotations

import bpy

from ...gdr_core.camera import Camera
from ...gdr_core.errors import BadSettings
from ...gdr_core.families import Distribution
from ...gdr_core.settings import (
    PoolName,
    RenderSettings,
    RunSettings,
    Start,
    TargetSettings,
    TrainingSettings,
    default_parameters,
)
from ...gdr_core.supershape.resolution import automatic_grid
from .defaults import DEMO_HIDDEN
from .properties import short


def to_settings(
    scene: bpy.types.Scene,
    *,
    pool: PoolName = "local",
    workers: int = 0,
    worker_memory: int = 0,
    recycle_after: int = 0,
    blender: str = "",
    with_camera: bool = True,
) -> RunSettings:
    """Return the run that the panel describes.

    Parameters
    ----------
    scene
        Whose settings.
    pool, workers, worker_memory, recycle_after, blender
        Of :class:`gdr_core.settings.RenderSettings`; they belong to the machine, not to the file.
    with_camera
        Look at the camera's object, which needs an evaluated scene; not while drawing.
    """
    gdr = scene.gdr
    return RunSettings(
        seed=gdr.seed,
        targets=_targets(gdr),
        training=TrainingSettings(
            estimator=gdr.estimator,
            batch=gdr.batch,
            steps=gdr.steps,
            max_renders=gdr.max_renders,
            size=int(gdr.size),
        ),
        rendering=RenderSettings(
            renderer=gdr.renderer,
            grid=_grid(gdr),
            samples=gdr.samples or None,
            denoise=gdr.denoise,
            device=gdr.render_device,
            pool=pool,
            workers=workers,
            worker_memory=worker_memory,
            recycle_after=recycle_after,
            camera=camera_of(gdr.camera) if with_camera and gdr.camera else None,
            blender=blender,
        ).filled(),
        parameters=_parameters(gdr),
    )


def problem(scene: bpy.types.Scene) -> str:
    """Return the sentence that says what is wrong with the settings, or "" (fit for drawing)."""
    if not scene.is_editable:
        return "This scene is linked from another file and stays as it is; go to one of this file."
    if scene.gdr.target == "FOLDER" and not scene.gdr.folder:
        return "Choose the folder of your target images, in the Target panel."
    try:
        to_settings(scene, with_camera=False).check()
    except BadSettings as error:
        return str(error)
    return ""


def camera_of(camera: bpy.types.Object) -> Camera:
    """Return a camera object's view on the scene, in a square frame."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = camera.evaluated_get(depsgraph)
    # A camera's scale does not scale what it sees.
    view = evaluated.matrix_world.normalized().inverted()
    projection = evaluated.calc_matrix_camera(depsgraph, x=1, y=1, scale_x=1.0, scale_y=1.0)
    return Camera.from_matrices(view, projection)


def _grid(gdr) -> tuple[int, int]:
    suits = automatic_grid(int(gdr.size))
    return tuple(side or own for side, own in zip(gdr.grid, suits, strict=True))


def _targets(gdr) -> TargetSettings:
    if gdr.target == "FOLDER":
        return TargetSettings(folder=bpy.path.abspath(gdr.folder) if gdr.folder else "")
    hidden = {
        item.name: _distribution(item, "hidden_mean", "hidden_std")
        for item in gdr.parameters
        if item.hidden
    }
    return TargetSettings(
        hidden=hidden if gdr.parameters else dict(DEMO_HIDDEN), count=gdr.hidden_count
    )


def _parameters(gdr) -> dict[str, Start]:
    # A scene that no panel has met yet has none: the defaults are what it will get.
    if not gdr.parameters:
        return default_parameters()
    return {item.name: _start(item) for item in gdr.parameters}


def _start(item) -> Start:
    if item.mode == "FIX":
        return Start(value=short(item.value))
    return Start(distribution=_distribution(item, "mean", "std"))


def _distribution(item, mean: str, std: str) -> Distribution:
    found = item.distribution_of(mean, std)
    if found.family == "bounded":
        return found
    # Bounds mean nothing to the other families and would only clutter config.toml.
    return Distribution(family=found.family, mean=found.mean, std=found.std)
