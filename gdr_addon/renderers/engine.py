# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's own render engines: one render an image.

They show what a person gets from *Render > Render Image*. A picture takes a render each, so that
they are much slower than a scene's ``fast`` renderer; what they have over it is their light.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import bpy
import numpy as np

from ..scenes import OpenedScene
from .engine_picture import Pictures
from .quiet import quiet
from .rows import check_rows


class Engine(Protocol):
    """What is particular to one engine.

    Attributes
    ----------
    label
        What Blender's interface calls it.
    """

    label: str

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose the engine in a scene of our own, and set it up; or raise GdrError."""
        ...

    def ready(self) -> AbstractContextManager[None]:
        """Have Blender's preferences as the engine needs them, and put them back."""
        ...


class EngineRenderer:
    """A scene rendered by an engine; see :class:`gdr_addon.renderers.Renderer`.

    Parameters
    ----------
    engine
        Which one, and how it is set up.
    opened
        The scene, which the renderer closes when it is freed.
    columns
        Of a row.

    Raises
    ------
    GdrError
        The engine cannot be had here.
    """

    def __init__(self, engine: Engine, opened: OpenedScene, columns: int) -> None:
        self._engine = engine
        self._opened = opened
        self._columns = columns
        try:
            engine.prepare(opened.scene)
        except BaseException:
            opened.close()
            raise

    def render(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        rows = check_rows(rows, self._columns, size)
        images = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        opened = self._opened
        pictures = Pictures(opened.scene, size, self._engine.label, opened.background)
        with quiet(), pictures as take, self._engine.ready(), opened.setting() as set_row:
            for image, row in zip(images, rows, strict=True):
                set_row(row)
                take(image)
        return images

    def free(self) -> None:
        """Close the scene."""
        self._opened.close()
