# SPDX-License-Identifier: GPL-3.0-or-later
"""A GPU context for a Blender without a window."""

from __future__ import annotations

import logging

import bpy

_log = logging.getLogger(__name__)

_ready = False


def ensure_gpu() -> None:
    """Make the ``gpu`` module usable; does nothing in a window or when it already is.

    Without a window Blender sets up its graphics when it first needs them: ``gpu.init()`` since
    5.2, a render with Workbench before. On a machine without EGL that ends the process by a
    signal (SIGABRT, SIGSEGV), which no ``try`` can stop: call this in a child first if unsure
    (``worker_entry.py -- --probe``).
    """
    global _ready
    if _ready or not bpy.app.background:
        return
    import gpu  # After bpy, without which there is no such module.

    if hasattr(gpu, "init"):
        gpu.init()
    else:
        _render_once()
    _ready = True
    _log.debug("GPU: %s, %s", gpu.platform.renderer_get(), gpu.platform.backend_type_get())


def release_meshes() -> None:
    """Let go of the GPU's copies of meshes that have changed since; does nothing in a window.

    The dependency graph drops them on threads without a graphics context, so Blender puts them
    aside until a context is next made current. A window does that with every frame; a headless
    Blender that only calls ``draw_view3d`` never does, and grows by 8 kB an image (50 x 50 points,
    Blender 5.0). A render does; it takes 2 ms.
    """
    if bpy.app.background:
        _render_once()


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


def _render_once() -> None:
    scene = bpy.data.scenes.new("GDR GPU start")
    try:
        scene.render.engine = "BLENDER_WORKBENCH"
        scene.render.resolution_x = scene.render.resolution_y = 8
        scene.render.resolution_percentage = 100
        data = bpy.data.cameras.new("GDR GPU start")
        scene.camera = bpy.data.objects.new("GDR GPU start", data)
        bpy.ops.render.render(scene=scene.name)
    finally:
        if scene.camera is not None:
            bpy.data.objects.remove(scene.camera)
            bpy.data.cameras.remove(data)
        bpy.data.scenes.remove(scene)
