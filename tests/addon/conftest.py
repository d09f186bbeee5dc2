# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what runs inside Blender, with the ``bpy`` module in place of a Blender."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

try:
    import bpy
except ImportError:
    bpy = None
    collect_ignore_glob = ["test_*.py"]
else:
    runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()


@pytest.fixture
def addon(tmp_path, monkeypatch):
    """The extension, registered in an empty file with preferences of its own."""
    from gdr import gdr_addon

    bpy.ops.wm.read_factory_settings(use_empty=False)
    entry = bpy.context.preferences.addons.new()
    entry.module = "gdr"
    gdr_addon.register()
    try:
        preferences = bpy.context.preferences.addons["gdr"].preferences
        preferences.trainer_python = sys.executable
        preferences.runs_folder = str(tmp_path / "runs")
        yield gdr_addon
    finally:
        gdr_addon.unregister()
        bpy.context.preferences.addons.remove(bpy.context.preferences.addons["gdr"])


@pytest.fixture
def scene(addon):
    """The scene, with its parameters."""
    from gdr.gdr_addon.settings import defaults

    defaults.ensure(bpy.context.scene)
    return bpy.context.scene
