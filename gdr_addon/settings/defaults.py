# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a scene its parameters.

A collection property starts empty, and neither registering nor drawing may write to the file. So
the file's scenes are filled by a timer right after registering and after loading, and a new scene
when a panel first meets it.
"""

from __future__ import annotations

from contextlib import ExitStack

import bpy
from bpy.app.handlers import persistent

from ...gdr_core.families import Distribution
from ...gdr_core.roles import OPTIMISED_KINDS, Optimise
from ...gdr_core.scene import Parameter
from ...gdr_core.scene_definition import SceneDefinition
from ...gdr_core.settings import SceneSettings
from .. import registration


def listed() -> tuple[Parameter, ...]:
    """Return the parameters that the panel lists: those that can be optimised."""
    return tuple(p for p in _definition().parameters if p.kind in OPTIMISED_KINDS)


def parameter_of(name: str) -> Parameter | None:
    """Return the scene's parameter of that name, None for what an older version left."""
    return next((p for p in listed() if p.name == name), None)


def is_filled(scene: bpy.types.Scene) -> bool:
    """Whether the scene has its parameters."""
    return [item.name for item in scene.gdr.parameters] == [
        parameter.name for parameter in listed()
    ]


def ensure(scene: bpy.types.Scene) -> None:
    """Give the scene its parameters if it lacks any; those that it has are left as they are."""
    if is_filled(scene):
        return
    items = scene.gdr.parameters
    names = [parameter.name for parameter in listed()]
    for index, name in enumerate(names):
        place = items.find(name)
        if place < 0:
            items.add().name = name
            place = len(items) - 1
            reset_one(items[place])
        if place != index:
            items.move(place, index)
    while len(items) > len(names):
        items.remove(len(items) - 1)


def ensure_soon() -> None:
    """Fill every scene as soon as writing is allowed (for use while drawing)."""
    if not bpy.app.timers.is_registered(_ensure_all):
        bpy.app.timers.register(_ensure_all, first_interval=0.0, persistent=True)


def reset(scene: bpy.types.Scene) -> None:
    """Set all parameters to those of the scene's example."""
    ensure(scene)
    for item in scene.gdr.parameters:
        reset_one(item)


def reset_one(item) -> None:
    """Set one parameter to that of the scene's example."""
    parameter, kind = parameter_of(item.name), _definition()
    role = kind.example.get(item.name)
    item.value = parameter.default
    item.family = "lognormal"
    item.low, item.high = parameter.low, parameter.high
    item.mode = "OPTIMISE" if isinstance(role, Optimise) else "FIX"
    if isinstance(role, Optimise):
        item.mean, item.std = role.distribution.mean, role.distribution.std
    else:
        # Around its default, for when the person decides to optimise it.
        item.mean = Distribution().to_internal(parameter.default) if parameter.default > 0 else 0.0
        item.std = Distribution().std
    truth = kind.example_targets.get(item.name)
    item.hidden = truth is not None
    if truth is not None:
        item.hidden_mean, item.hidden_std = truth.mean, truth.std
    else:
        item.hidden_mean, item.hidden_std = item.mean, 0.1


def _definition() -> SceneDefinition:
    return SceneSettings().definition


def _ensure_all() -> None:
    for scene in bpy.data.scenes:
        if scene.is_editable:
            ensure(scene)


@persistent
def _after_load(*_) -> None:
    _ensure_all()


def register(stack: ExitStack) -> None:
    """Fill the open file's scenes, and those of every file opened later."""
    registration.handler(stack, bpy.app.handlers.load_post, _after_load)
    registration.timer_removal(stack, _ensure_all)
    ensure_soon()
