# SPDX-License-Identifier: GPL-3.0-or-later
"""The means of the window tests: what they show and say can be relied on."""

import textwrap

import pytest
from harness import BlenderWindow, Timeout, run_script


@pytest.fixture
def script(tmp_path):
    def write(body):
        path = tmp_path / "script.py"
        path.write_text("import bpy\nfrom drive import *\n" + textwrap.dedent(body))
        return path

    return write


def test_a_click_reaches_a_button_and_blender_quits_with_zero(blender, script, tmp_path):
    steps = script(
        """
        def steps():
            yield from until(lambda: area("VIEW_3D").width > 100)
            header = region("TOPBAR", "HEADER") if False else region("VIEW_3D", "WINDOW")
            screenshot("before.png")
            bpy.ops.object.select_all(action="DESELECT")
            yield from click(header.x + header.width // 2, header.y + header.height // 2)
            yield seconds(0.3)
            screenshot("after.png")
            return {"selected": [o.name for o in bpy.context.selected_objects], "n": header.width}

        run(steps)
        """
    )
    result = run_script(blender, steps, folder=tmp_path).check()
    print(result.seconds, result.report)
    assert result.report["selected"] == ["Cube"]
