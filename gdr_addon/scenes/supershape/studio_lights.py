# SPDX-License-Identifier: GPL-3.0-or-later
"""Lighting Blender's Solid mode with a studio that no file holds.

The lights of the preferences' studio editor are shown in place of a studio light while the editor
is on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy

from .look import Studio

_FIELDS = ("use", "smooth", "direction", "diffuse_color", "specular_color")


@contextmanager
def editable_studio() -> Iterator[Callable[[Studio | None], None]]:
    """Lend a function that lights all Solid views with a studio, None for the views' own.

    The person's preferences are put back afterwards; what need not change is not touched.
    """
    system = bpy.context.preferences.system
    edited, ambient = system.use_studio_light_edit, tuple(system.light_ambient)
    lights = [_values(light) for light in system.solid_lights]

    def show(studio: Studio | None) -> None:
        _set(system, "use_studio_light_edit", studio is not None)
        if studio is not None:
            _show(system, studio)

    try:
        yield show
    finally:
        for light, values in zip(system.solid_lights, lights, strict=True):
            for name, value in zip(_FIELDS, values, strict=True):
                _set(light, name, value)
        _set(system, "light_ambient", ambient)
        _set(system, "use_studio_light_edit", edited)


def _show(system: bpy.types.PreferencesSystem, studio: Studio) -> None:
    for slot, light in zip(system.solid_lights, studio.lights, strict=False):
        slot.use = True
        slot.smooth = light.smooth
        slot.direction = light.direction
        slot.diffuse_color = light.diffuse
        slot.specular_color = light.specular
    system.light_ambient = studio.ambient


def _values(light: bpy.types.UserSolidLight) -> tuple:
    """Return copies of what :func:`_show` changes."""
    return tuple(_value(light, name) for name in _FIELDS)


def _value(owner: bpy.types.bpy_struct, name: str) -> bool | float | tuple[float, ...]:
    value = getattr(owner, name)
    return value if isinstance(value, (bool, float)) else tuple(value)


def _set(owner: bpy.types.bpy_struct, name: str, value: object) -> None:
    """Change a preference; setting it to what it is would be a change to Blender too."""
    if _value(owner, name) != value:
        setattr(owner, name, value)
