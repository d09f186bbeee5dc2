# SPDX-License-Identifier: GPL-3.0-or-later
"""Enabling and disabling the extension leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from gdr import gdr_addon
from gdr.gdr_addon import panels
from gdr.gdr_addon.run import contact_sheet, controller, trainer_check
from gdr.gdr_addon.run.run_state import RunState
from gdr.gdr_addon.settings import defaults

ROOT = Path(__file__).resolve().parents[2]


def _traces():
    """Everything that registering could leave behind."""
    handlers = {
        name: list(map(repr, getattr(bpy.app.handlers, name)))
        for name in dir(bpy.app.handlers)
        if isinstance(getattr(bpy.app.handlers, name), list)
    }
    return {
        "types": {name for name in dir(bpy.types) if name.startswith("GDR")},
        "operators": set(dir(bpy.ops.gdr)),
        "handlers": handlers,
        "scene": "gdr" in bpy.types.Scene.bl_rna.properties,
        "window_manager": [
            key for key, _ in bpy.types.WindowManager.bl_rna.properties.items() if "gdr" in key
        ],
        "timers": [
            bpy.app.timers.is_registered(function)
            for function in (controller._tick, defaults._ensure_all, trainer_check._poll)
        ],
        "previews": contact_sheet._previews,
    }


def test_enable_disable_enable_leaves_nothing():
    before = _traces()
    for _ in range(3):
        gdr_addon.register()
        assert bpy.context.scene.gdr is not None
        assert bpy.context.window_manager.gdr_run.status == "IDLE"
        gdr_addon.unregister()
        assert _traces() == before
    assert before["types"] == set()
    assert not hasattr(bpy.types.Scene, "gdr")
    assert not hasattr(bpy.types.WindowManager, "gdr_run")


def test_the_state_of_the_last_run_does_not_come_back():
    gdr_addon.register()
    run = bpy.context.window_manager.gdr_run
    run.status, run.step = "RUNNING", 7
    gdr_addon.unregister()
    gdr_addon.register()
    try:
        assert bpy.context.window_manager.gdr_run is controller.newest()
        assert repr(controller.newest()) == repr(RunState())
    finally:
        gdr_addon.unregister()


def test_the_state_of_a_run_outlives_undo_and_files(addon, tmp_path):
    run = bpy.context.window_manager.gdr_run
    run.message = "Done after 5 steps"
    bpy.ops.ed.undo_push(message="One")
    bpy.ops.ed.undo_push(message="Two")
    bpy.ops.ed.undo()
    assert bpy.context.window_manager.gdr_run is run
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "file.blend"))
    assert bpy.context.window_manager.gdr_run is run is controller.newest()
    assert run.message == "Done after 5 steps"


def test_a_failure_half_way_undoes_what_was_done(monkeypatch):
    before = _traces()

    def fail(stack):
        raise RuntimeError("no panels today")

    monkeypatch.setattr(panels, "register", fail)
    with pytest.raises(RuntimeError, match="no panels today"):
        gdr_addon.register()
    assert _traces() == before
    monkeypatch.undo()
    gdr_addon.register()
    gdr_addon.unregister()
    assert _traces() == before


def test_registering_twice_is_an_error(addon):
    with pytest.raises(RuntimeError):
        addon.register()


def test_importing_needs_no_bpy(tmp_path):
    code = (
        "import sys, importlib.util\n"
        "sys.modules['bpy'] = None\n"
        f"spec = importlib.util.spec_from_file_location('gdr', {str(ROOT / '__init__.py')!r},\n"
        f"    submodule_search_locations=[{str(ROOT)!r}])\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "sys.modules['gdr'] = module\n"
        "path = list(sys.path)\n"
        "spec.loader.exec_module(module)\n"
        "import gdr.gdr_addon, gdr.gdr_addon.run.session, gdr.gdr_addon.run.run_state\n"
        "assert sys.path == path\n"
        "assert 'bpy' not in [n for n, m in sys.modules.items() if m is not None]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
