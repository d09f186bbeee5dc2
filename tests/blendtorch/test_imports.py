# SPDX-License-Identifier: GPL-3.0-or-later
"""Each side loads no more than it needs, under either of its names."""

import subprocess
import sys

import pytest
from channel_helpers import ROOT


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_btb_without_bpy():
    out = run(
        "import sys; sys.modules['bpy'] = None\n"
        "from blendtorch import btb\n"
        "btb.DuplexChannel, btb.DataPublisher, btb.Signal, btb.parse_blendtorch_args\n"
        "try: btb.Camera\n"
        "except ImportError as err: print(err)"
    )
    assert "inside Blender only" in out


def test_btb_loads_no_bpy():
    assert run("import sys; from blendtorch import btb; print('bpy' in sys.modules)") == "False"


def test_btt_without_torch():
    out = run(
        "import sys; sys.modules['torch'] = None\n"
        "from blendtorch import btt\n"
        "btt.BlenderLauncher, btt.DuplexChannel, btt.LaunchInfo\n"
        "btt.FileReader, btt.FileRecorder, btt.colors.gamma\n"
        "for name in ('RemoteIterableDataset', 'FileDataset'):\n"
        "    try: getattr(btt, name)\n"
        "    except ImportError as err: print(err)"
    )
    assert "btt.RemoteIterableDataset needs PyTorch" in out
    assert "btt.FileDataset needs PyTorch" in out


def test_lifeline_needs_nothing():
    out = run(
        "import sys; from blendtorch import lifeline\n"
        "print([n for n in ('zmq', 'numpy', 'bpy', 'torch') if n in sys.modules])"
    )
    assert out == "[]"


@pytest.mark.parametrize("side", ["btb", "btt"])
def test_as_a_part_of_another_package(side, tmp_path):
    package = tmp_path / "gdr"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "blendtorch").symlink_to(ROOT / "blendtorch")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"import gdr.blendtorch.{side} as side; side.DuplexChannel\n"
        "print([n for n in sys.modules if n.startswith('blendtorch')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
