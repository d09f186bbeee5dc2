# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing an engine by the name that this Blender has for it."""

from __future__ import annotations

from contextlib import suppress

import bpy

from ...gdr_core.errors import BadSettings


def choose_engine(scene: bpy.types.Scene, label: str, *identifiers: str) -> None:
    """Set the scene's engine to the first of the identifiers that this Blender knows.

    Raises
    ------
    BadSettings
        It knows none of them.
    """
    for identifier in identifiers:
        with suppress(TypeError):  # Not one of the enumeration's.
            scene.render.engine = identifier
            return
    raise BadSettings(
        f"This Blender has no render engine {label}; enable its add-on if it has one, or use the "
        f"renderer fast."
    )
