# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns ``scene.gdr`` into the settings of a run."""

from __future__ import annotations

import bpy

from ...gdr_core.errors import BadSettings
from ...gdr_core.families import Distribution
from ...gdr_core.roles import Fixed, Optimise, Role
from ...gdr_core.settings import (
    PoolName,
    RenderSettings,
    RunSettings,
    SceneSettings,
    TargetSettings,
    TrainingSettings,
)
from .. import scenes
from .properties import short


def to_settings(
    scene: bpy.types.Scene,
    *,
    pool: PoolName = "local",
    workers: int = 0,
    worker_memory: int = 0,
    recycle_after: int = 0,
    blender: str = "",
    evaluate: bool = True,
) -> RunSettings:
    """Return the run that the panel describes.

    Parameters
    ----------
    scene
        Whose settings.
    pool, workers, worker_memory, recycle_after, blender
        Of :class:`gdr_core.settings.RenderSettings`; they belong to the machine, not to the file.
    evaluate
        Look at what objects evaluate to; not while drawing.
    """
    gdr = scene.gdr
    return RunSettings(
        seed=gdr.seed,
        scene=SceneSettings(options=scenes.module().options_of(scene, evaluate)),
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
            samples=gdr.samples or None,
            denoise=gdr.denoise,
            device=gdr.render_device,
            pool=pool,
            workers=workers,
            worker_memory=worker_memory,
            recycle_after=recycle_after,
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
        to_settings(scene, evaluate=False).check()
    except BadSettings as error:
        return str(error)
    return ""


def _targets(gdr) -> TargetSettings:
    if gdr.target == "FOLDER":
        return TargetSettings(folder=bpy.path.abspath(gdr.folder) if gdr.folder else "")
    hidden = {
        item.name: _distribution(item, "hidden_mean", "hidden_std")
        for item in gdr.parameters
        if item.hidden
    }
    return TargetSettings(
        hidden=hidden if gdr.parameters else dict(SceneSettings().definition.example_targets),
        count=gdr.hidden_count,
    )


def _parameters(gdr) -> dict[str, Role]:
    # A scene that no panel has met yet has none: the example is what it will get.
    return {item.name: _role(item) for item in gdr.parameters}


def _role(item) -> Role:
    if item.mode == "FIX":
        return Fixed(value=short(item.value))
    return Optimise(distribution=_distribution(item, "mean", "std"))


def _distribution(item, mean: str, std: str) -> Distribution:
    distribution = item.distribution_of(mean, std)
    if distribution.family == "bounded":
        return distribution
    # Bounds mean nothing to the other families and would only clutter config.toml.
    return Distribution(family=distribution.family, mean=distribution.mean, std=distribution.std)
