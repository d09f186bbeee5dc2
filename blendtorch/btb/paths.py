# SPDX-License-Identifier: GPL-3.0-or-later
"""Python modules that lie next to the scene."""

from __future__ import annotations

import sys

import bpy


def add_scene_dir_to_path() -> None:
    """Make modules in the folder of the open .blend file importable."""
    folder = bpy.path.abspath("//")
    if folder and folder not in sys.path:
        sys.path.append(folder)
