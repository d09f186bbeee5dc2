# SPDX-License-Identifier: GPL-3.0-or-later
"""The means of the window tests: what they show and say can be relied on."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from harness import BlenderWindow, Timeout, run_blender, run_script

PANEL = """
import bpy
from drive import *

class TEST_OT_mark(bpy.types.Operator):
    bl_idname = "test.mark"
    bl_label = "Mark"

    def execute(self, context):
        context.scene["marked"] = True
        return {"FINISHED"}

class TEST_PT_panel(bpy.types.Panel):
    bl_label = "Test"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Test"

    def draw(self, context):
        self.layout.label(text="Above the button")
        row = self.layout.row()
        row.operator("object.select_all")
        row.operator("test.mark")
        self.layout.prop(context.scene, "frame_start")

bpy.utils.register_class(TEST_OT_mark)
bpy.utils.register_class(TEST_PT_panel)
"""


@pytest.fixture
def script(tmp_path):
    def write(body):
        path = tmp_path / "script.py"
        path.write_text(PANEL + textwrap.dedent(body))
        return path

    return write


def test_a_click_presses_a_button_and_blender_quits_with_zero(blender, script, tmp_path):
    steps = script(
        """
        def steps():
            yield from show_sidebar("Test")
            screenshot("before.png")
            yield from click_button("test.mark")
            yield from until(lambda: bpy.context.scene.get("marked"), 5, "the click's effect")
            x, y = yield from find_property("frame_start")
            return {"version": bpy.app.version, "place": [x, y]}

        run(steps)
        """
    )
    result = run_script(blender, steps, folder=tmp_path).check()
    assert result.report["version"][0] >= 4
    assert "Blender quit" in result.log
    picture = (tmp_path / "before.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_pictures_and_pointer_from_outside(blender, script, tmp_path):
    steps = script(
        """
        def steps():
            bpy.ops.object.select_all(action="DESELECT")
            screenshot("ready.png")
            yield from until(lambda: bpy.context.selected_objects, 40, "a click from outside")
            return [found.name for found in bpy.context.selected_objects]

        run(steps)
        """
    )
    with BlenderWindow(blender, steps, folder=tmp_path, event_simulate=False) as window:
        window.wait_until_drawn()
        window.wait_for((tmp_path / "ready.png").exists)
        window.screenshot("outside.png")
        assert any("blender" in line for line in window.processes())
        window.run("xdotool", "mousemove", "655", "470", "sleep", "0.3", "click", "1")
        result = window.wait().check()
    assert result.report == ["Cube"]


def test_an_error_in_the_driver_is_told_with_its_place(blender, script, tmp_path):
    steps = script(
        """
        def steps():
            yield from until(lambda: False, 0.2, "a blue moon")

        run(steps)
        """
    )
    result = run_script(blender, steps, folder=tmp_path)
    assert "TimeoutError: waited 0.2 s in vain: a blue moon" in result.error
    with pytest.raises(AssertionError, match="a blue moon"):
        result.check()


def test_a_process_that_outlives_blender_is_noticed(blender, script, tmp_path):
    if os.geteuid() or sys.platform != "linux":
        pytest.skip("needs a process namespace of its own")
    steps = script(
        """
        import subprocess

        def steps():
            subprocess.Popen(["sleep", "313"], start_new_session=True)
            yield seconds(0.1)

        run(steps)
        """
    )
    result = run_script(blender, steps, folder=tmp_path)
    assert result.returncode == 0
    assert result.survivors == ["sleep 313"]


def test_a_blender_that_stays_is_ended(blender, script, tmp_path):
    steps = script("run(lambda: (yield 0.1), keep_open=True)")
    with (
        pytest.raises(Timeout, match="still ran after 6 s"),
        BlenderWindow(blender, steps, folder=tmp_path) as window,
    ):
        window.wait(6)
    assert not window.running


def test_nothing_stays_when_the_test_process_is_killed(blender, tmp_path):
    """The folder's path is in the command line of everything that the harness starts."""
    steps = tmp_path / "script.py"
    steps.write_text("from drive import run\nrun(lambda: (yield 0.1), keep_open=True)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    victim = subprocess.Popen([sys.executable, __file__, str(tmp_path)], env=environment)
    deadline = time.monotonic() + 30
    while not (tmp_path / "result.json").exists():
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert _processes_naming(steps)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    deadline = time.monotonic() + 10
    while left := _processes_naming(steps):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_blender_without_a_window(blender, tmp_path):
    command = ["--background", "--python-exit-code", "3", "--python-expr", "raise SystemExit(3)"]
    assert run_blender(blender, *command, folder=tmp_path).returncode == 3


def _processes_naming(path):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(path) in words:
            found.append(words)
    return found


if __name__ == "__main__":  # The test process of the test above, which gets killed.
    from blender_for_tests import find

    folder = Path(sys.argv[1])
    version = os.environ.get("GDR_BLENDER_VERSION", "4.3")
    run_script(find(version), folder / "script.py", folder=folder)
