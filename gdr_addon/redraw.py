# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells Blender which parts of its windows show something new."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def sidebars() -> None:
    """Redraw the sidebars of all 3D views."""
    for area in _areas("VIEW_3D"):
        for region in area.regions:
            if region.type == "UI":
                region.tag_redraw()


def viewports() -> None:
    """Redraw all 3D views."""
    for area in _areas("VIEW_3D"):
        for region in area.regions:
            if region.type == "WINDOW":
                region.tag_redraw()


def preferences() -> None:
    """Redraw the windows of Blender's preferences."""
    for area in _areas("PREFERENCES"):
        area.tag_redraw()


def _areas(kind: str) -> Iterator[bpy.types.Area]:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == kind:
                yield area
