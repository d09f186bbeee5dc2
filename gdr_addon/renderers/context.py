# SPDX-License-Identifier: GPL-3.0-or-later
"""A GPU context for a Blender without a window."""

from __future__ import annotations

import bpy

from ...blendtorch.headless import ensure_gpu, throw_away_render

__all__ = ["describe", "ensure_gpu", "release_meshes"]


def release_meshes() -> None:
    """Let go of the GPU's copies of meshes that have changed since; does nothing in a window.

    The dependency graph drops them on threads without a graphics context, so Blender puts them
    aside until a context is next made current. A window does that with every frame; a headless
    Blender that only calls ``draw_view3d`` never does, and grows by 8 kB an image (50 x 50 points,
    Blender 5.0). A render does; it takes 2 ms.
    """
    if bpy.app.background:
        throw_away_render()


def describe() -> dict[str, str]:
    """Return ``{"blender", "renderer", "vendor", "backend"}`` of this process."""
    ensure_gpu()
    import gpu

    return {
        "blender": bpy.app.version_string,
        "renderer": gpu.platform.renderer_get(),
        "vendor": gpu.platform.vendor_get(),
        "backend": gpu.platform.backend_type_get(),
    }
