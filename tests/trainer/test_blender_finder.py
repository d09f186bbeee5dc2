# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Blender is used where there are several."""

import importlib.util
import os
from pathlib import Path

import pytest

from blendtorch.btt import discover_blender
from gdr_core.errors import GdrError
from trainer.rendering import blender


def test_blender_is_looked_for_in_one_order(monkeypatch, tmp_path):
    def executable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    named, other = executable(tmp_path / "named"), executable(tmp_path / "other")
    on_path = executable(tmp_path / "bin" / "blender")
    old, new = (executable(tmp_path / f"Blender {v}" / "blender.exe") for v in ("4.9", "4.10"))
    monkeypatch.setattr(blender, "_INSTALLED", [("", "*"), (str(tmp_path), "*/blender.exe")])
    monkeypatch.setenv("GDR_BLENDER", named)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert blender.find(other) == other
    assert blender.find() == blender.find(module=False) == named
    monkeypatch.delenv("GDR_BLENDER")
    if importlib.util.find_spec("bpy") is not None:
        assert blender.find() == "bpy"
    assert blender.find(module=False) == on_path
    monkeypatch.setenv("PATH", str(tmp_path))
    assert blender.find(module=False) == new
    Path(new).unlink()
    assert blender.find(module=False) == old
    Path(old).unlink()
    with pytest.raises(GdrError, match="No Blender was found; set GDR_BLENDER"):
        blender.find(module=False)


def test_a_launcher_looks_in_the_same_order(monkeypatch, tmp_path):
    pytest.importorskip("bpy")
    monkeypatch.delenv("GDR_BLENDER", raising=False)
    program = tmp_path / "blender"
    program.write_text("#!/bin/sh\necho Blender 4.5.1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert discover_blender(background=True)["kind"] == "module"
    assert discover_blender()["path"] == program
