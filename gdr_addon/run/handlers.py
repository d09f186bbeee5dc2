# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a run when the file under it changes."""

from __future__ import annotations

from contextlib import ExitStack

import bpy
from bpy.app.handlers import persistent

from .. import registration
from . import controller


@persistent
def _after_load(*_) -> None:
    controller.file_changed()


@persistent
def _after_undo(*_) -> None:
    controller.undone()


def register(stack: ExitStack) -> None:
    """Watch loading, undo and redo."""
    registration.handler(stack, bpy.app.handlers.load_post, _after_load)
    registration.handler(stack, bpy.app.handlers.undo_post, _after_undo)
    registration.handler(stack, bpy.app.handlers.redo_post, _after_undo)
