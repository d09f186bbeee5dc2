# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes Blender's ``gpu`` module usable without a window."""

from __future__ import annotations

import bpy

_done = False


def ensure_gpu() -> None:
    """Give this Blender a GPU context if it has none yet; does nothing in a window.

    Blender before 5.2 makes the context on the first render, so one tiny Workbench render is thrown
    away, in a scene of its own. Where there is no EGL this ends the process without an exception:
    try in a child first if that is possible on your machine.
    """
    global _done
    if _done or not bpy.app.background:
        return
    import gpu  # after bpy

    if hasattr(gpu, "init"):
        gpu.init()
    else:
        _throw_away_render()
    _done = True


def _throw_away_render() -> None:
    scene = bpy.data.scenes.new("blendtorch")
    data = bpy.data.cameras.new("blendtorch")
    camera = bpy.data.objects.new("blendtorch", data)
    try:
        scene.collection.objects.link(camera)
        scene.camera = camera
        scene.render.engine = "BLENDER_WORKBENCH"
        scene.render.resolution_x = scene.render.resolution_y = 8
        bpy.ops.render.render(scene=scene.name)
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.objects.remove(camera)
        bpy.data.cameras.remove(data)
