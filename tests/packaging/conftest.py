# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's archive, built once, and the Blender of the window tests."""

from pathlib import Path

import build_addon
import pytest
from window_blender import blender as blender


@pytest.fixture(scope="session")
def archive() -> Path:
    """Return the path of a fresh build."""
    return build_addon.build()
