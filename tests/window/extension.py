# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts inside Blender need to know of the extension and its processes."""

import importlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from drive import area, click, click_button, main_window, move, region, seconds, until

MODULE = "bl_ext.user_default.gdr"


def gdr_run():
    """The state of the newest run."""
    return bpy.context.window_manager.gdr_run


def module(name: str):
    """A module of the extension as it is enabled now."""
    return importlib.import_module(f"{MODULE}.gdr_addon.{name}")


def preferences():
    return bpy.context.preferences.addons[MODULE].preferences


def ended() -> bool:
    return gdr_run().status in {"DONE", "FAILED", "IDLE"}


def start(wait_for_step: int = 1, timeout: float = 60.0) -> Iterator[float]:
    """`yield from start()`: click Start Optimization and wait for a step."""
    yield from press("gdr.start_optimization")
    yield from until(lambda: gdr_run().status == "STARTING", 10, "the run starts")
    yield from until(
        lambda: gdr_run().step >= wait_for_step or ended(), timeout, f"step {wait_for_step}"
    )
    if ended():
        raise AssertionError(f"{gdr_run().status}: {gdr_run().message}")


def first_button(share: float = 0.4) -> tuple[int, int]:
    """Where the first row of buttons is: Start Optimization, or Pause and Stop."""
    sidebar = region("VIEW_3D", "UI")
    return round(sidebar.x + sidebar.width * share), sidebar.y + sidebar.height - 50


def under_pointer() -> str:
    """The Python command of the sidebar's button under the pointer, or ""."""
    with bpy.context.temp_override(
        window=main_window(), area=area("VIEW_3D"), region=region("VIEW_3D", "UI")
    ):
        if not bpy.ops.ui.copy_python_command_button.poll():
            return ""
        bpy.ops.ui.copy_python_command_button()
    return bpy.context.window_manager.clipboard


def press(operator: str) -> Iterator[float]:
    """`yield from press("gdr.pause_optimization")`: click one of the buttons in the first row.

    Looking there first is much quicker than searching the whole sidebar.
    """
    for share in (0.25, 0.65):
        x, y = first_button(share)
        for offset in (1, 0):
            yield from move(x - offset, y, 0.1)
        if under_pointer().startswith(f"bpy.ops.{operator}("):
            yield from click(x, y)
            return
    yield from click_button(operator)


def children(kind: str = "") -> dict[int, str]:
    """Processes of the run by their id: all, or of the kind "trainer" or "worker"."""
    marks = {"trainer": "-m trainer", "worker": "worker_entry.py"}
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            state = (folder / "stat").read_text().rpartition(") ")[2][0]
        except OSError:
            continue
        wanted = [marks[kind]] if kind else list(marks.values())
        if state != "Z" and any(mark in command for mark in wanted):
            found[int(folder.name)] = command
    return found


def kill(kind: str) -> None:
    """End all processes of a kind as the system would when memory is short."""
    found = children(kind)
    if not found:
        raise AssertionError(f"there is no {kind}; there are {children()}")
    for process in found:
        os.kill(process, signal.SIGKILL)


def no_process_left(timeout: float = 10.0) -> Iterator[float]:
    """`yield from no_process_left()`: all processes of the run end."""
    yield from until(lambda: not children(), timeout, "the run's processes end")


def outcome() -> dict:
    """What the panel says."""
    run = gdr_run()
    return {"status": run.status, "message": run.message, "step": run.step}


def own_objects() -> dict:
    """The person's objects, camera and settings, as plain data that can be compared."""
    scene = bpy.context.scene
    things = {
        thing.name: [list(row) for row in thing.matrix_world]
        + [thing.select_get(), thing.visible_get()]
        for thing in scene.objects
        if "gdr_preview" not in thing
    }
    render = scene.render
    return {
        "objects": things,
        "active": bpy.context.view_layer.objects.active.name,
        "camera": scene.camera.name,
        "lens": scene.camera.data.lens,
        "engine": render.engine,
        "resolution": [render.resolution_x, render.resolution_y],
        "frame": scene.frame_current,
        "anti-aliasing": bpy.context.preferences.system.viewport_aa,
        "meshes": {
            mesh.name: np.array([v.co for v in mesh.vertices]).tolist()
            for mesh in bpy.data.meshes
            if mesh.name == "Cube"
        },
    }


def preview_points() -> np.ndarray:
    """The coordinates of all of the preview's shapes, in a row."""
    parts = []
    for thing in bpy.context.scene.objects:
        if thing.type == "MESH" and "gdr_preview" in thing:
            flat = np.empty(len(thing.data.vertices) * 3, dtype=np.float32)
            thing.data.attributes["position"].data.foreach_get("vector", flat)
            parts.append(flat)
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def settle() -> float:
    """`yield settle()`: time for a redraw."""
    return seconds(0.6)
