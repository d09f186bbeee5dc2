# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes Blender's ``gpu`` module usable without a window. Needs ``bpy`` and nothing else."""

from __future__ import annotations

import bpy

_done = False


def ensure_gpu() -> None:
    """Give this Blender a GPU context if it has none yet; does nothing in a window.

    That is ``gpu.init()`` since Blender 5.2, the first render before. Where there is no EGL it ends
    the process by a signal (SIGABRT, SIGSEGV), which no ``try`` can stop: try in a child first if
    that is possible on your machine.
    """
    global _done
    if _done or not bpy.app.background:
        return
    import gpu  # after bpy

    if hasattr(gpu, "init"):
        gpu.init()
    else:
        throw_away_render()
    _done = True


def throw_away_render() -> None:
    """Render 8 x 8 pixels with Workbench, in a scene that comes and goes; 2 ms."""
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
