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

from .. import ids

FILE = Path("images") / "real.png"
"""Within the run folder."""

_previews: bpy.utils.previews.ImagePreviewCollection | None = None


def path_in(folder: str) -> Path | None:
    """Return a run's contact sheet, or None if it has none (yet)."""
    path = Path(folder) / FILE
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
    found = bpy.data.images.get(ids.PREVIEW_IMAGE)
    if found is None or not found.get(ids.PREVIEW_TAG):
        found = bpy.data.images.load(str(path))
        found.name = ids.PREVIEW_IMAGE
        found[ids.PREVIEW_TAG] = True
    elif bpy.path.abspath(found.filepath) != str(path):
        found.filepath = str(path)
    return found


def register(stack: ExitStack) -> None:
    """Make the collection of previews."""
    global _previews
    _previews = bpy.utils.previews.new()
    stack.callback(_remove)


def _remove() -> None:
    global _previews
    bpy.utils.previews.remove(_previews)
    _previews = None
