# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what is drawn, with the real ``bpy`` module and a headless GPU."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]
# For drawn_shapes, in every import mode of pytest.
sys.path.insert(0, str(Path(__file__).parent))
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from drawn_shapes import ShapeRenderer  # noqa: E402


@pytest.fixture
def renderer():
    """Return what makes renderers of shapes, which are freed after the test."""
    made = []

    def make(*args, **options):
        made.append(ShapeRenderer(*args, **options))
        return made[-1]

    yield make
    for item in made:
        item.free()
