# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets' contact sheet: in the Target panel, and as an image in the scene's preview.

Both load the file that the trainer saves before it says that the targets are known, so the main
thread touches no pixel: Blender reads the file when it first draws it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import bpy
import bpy.utils.previews

from ...gdr_core.shared_names import IMAGES, TARGET_SHEET
from .. import ids

_previews: bpy.utils.previews.ImagePreviewCollection | None = None


def path_in(folder: str) -> Path | None:
    """Return a run's contact sheet, or None if it has none (yet)."""
    path = Path(folder) / IMAGES / f"{TARGET_SHEET}.png"
    return path if folder and os.path.isfile(path) else None


def show(folder: str) -> None:
    """Make the run's contact sheet the one that :func:`icon` gives."""
    clear()
    path = path_in(folder)
    if path is not None and _previews is not None:
        _previews.load(str(path), str(path), "IMAGE")


def clear() -> None:
    """Forget the contact sheet."""
    if _previews is not None:
        _previews.clear()


def icon() -> int:
    """Return the contact sheet as an icon for ``template_icon``, or 0."""
    for preview in (_previews or {}).values():
        return preview.icon_id
    return 0


def image(path: Path) -> bpy.types.Image:
    """Return the image of the scene's preview, showing the file ``path``."""
    shown = bpy.data.images.get(ids.PREVIEW_IMAGE)
    if shown is None or not shown.get(ids.PREVIEW_TAG):
        shown = bpy.data.images.load(str(path))
        shown.name = ids.PREVIEW_IMAGE
        shown[ids.PREVIEW_TAG] = True
    elif bpy.path.abspath(shown.filepath) != str(path):
        shown.filepath = str(path)
    return shown


def register(stack: ExitStack) -> None:
    """Make the collection of previews."""
    global _previews
    _previews = bpy.utils.previews.new()
    stack.callback(_remove)


def _remove() -> None:
    global _previews
    bpy.utils.previews.remove(_previews)
    _previews = None
