# SPDX-License-Identifier: GPL-3.0-or-later
"""What "make blender" does to a Blender that has never seen the extension."""

import sys

import build_addon
from harness import install_extension, run_blender, run_script

TOOLS = build_addon.ROOT / "tools"


def test_blender_opens_with_the_panel_in_sight(blender, archive, tmp_path):
    settings = tmp_path / "settings"
    install_extension(blender, archive, settings)
    first = tmp_path / "first"
    first.mkdir()
    command = ["--background", "--python-exit-code", "1"]
    command += ["--python", TOOLS / "set_trainer_python.py", "--", sys.executable]
    run_blender(blender, *command, folder=first, user_resources=settings).check()

    script = tmp_path / "script.py"
    script.write_text(
        f"""
import runpy

import bpy
from drive import region, run, screenshot, seconds, until

def steps():
    runpy.run_path({str(TOOLS / "show_panel.py")!r})
    sidebar = region("VIEW_3D", "UI")
    shown = lambda: sidebar.width > 1 and sidebar.active_panel_category == "GDR"
    yield from until(shown, 10, "the tab of the extension")
    yield seconds(1.0)
    screenshot("panel.png")
    addon = bpy.context.preferences.addons["bl_ext.user_default.gdr"]
    return [addon.preferences.trainer_python, sorted(bpy.data.objects.keys())]

run(steps)
"""
    )
    second = tmp_path / "second"
    second.mkdir()
    result = run_script(blender, script, folder=second, user_resources=settings).check()
    python, objects = result.report
    assert python == sys.executable
    assert "Cube" not in objects
