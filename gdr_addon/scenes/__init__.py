# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes inside Blender, one folder each.

Setting a scene and drawing it are two things: an :class:`OpenedScene` does the one and a renderer
(:mod:`gdr_addon.renderers`) the other. A scene may have a renderer of its own, ``fast``, that does
both for a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...gdr_core import scenes
from ...gdr_core.camera import Camera
from ...gdr_core.scene import Scene

if TYPE_CHECKING:
    import bpy

    from ..renderers import Renderer


class OpenedScene(Protocol):
    """A scene in this Blender whose parameters can be set.

    Attributes
    ----------
    scene
        What is rendered.
    camera
        From where, for renderers that take no camera object.
    background
        The sRGB levels ``(3,)`` uint8 behind what the film leaves transparent; None where a picture
        is taken as it is.
    viewport_shading
        Settings of ``bpy.types.View3DShading`` with which Solid mode shows it, over Blender's own.
    """

    scene: bpy.types.Scene
    camera: Camera
    background: np.ndarray | None
    viewport_shading: Mapping[str, object]

    def setting(self) -> AbstractContextManager[Callable[[np.ndarray], None]]:
        """Lend a function that sets all parameters to a row ``(P,)``.

        What it changes outside the scene, in the person's preferences, is put back at the end.
        """
        ...

    def close(self) -> None:
        """Remove what was added to the file."""
        ...


class SceneModule(Protocol):
    """What the package of a kind of scene offers, each of its parts imported when it is needed."""

    def open_scene(self, scene: Scene, renderer: str) -> OpenedScene:
        """Open the scene for one of its renderers other than ``fast``; GdrError if it cannot be."""
        ...

    def fast_renderer(self, scene: Scene, samples: int) -> Renderer:
        """Return the scene's own renderer, where it lists one."""
        ...

    def preview_module(self) -> ModuleType:
        """Return what shows the newest samples in the viewport."""
        ...

    def apply(self, context: bpy.types.Context, row: np.ndarray) -> str:
        """Show a row ``(P,)`` in the person's scene, to stay; return the name of what shows it."""
        ...

    def options_of(self, scene: bpy.types.Scene, evaluate: bool) -> dict[str, Any]:
        """Return the scene's own settings as the panel has them.

        ``evaluate`` is False while drawing, when no object's evaluated state can be had.
        """
        ...

    def draw_options(self, layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
        """Draw the scene's own settings in the panel."""
        ...

    def draw_results(self, layout: bpy.types.UILayout) -> None:
        """Draw what a person can do with a result besides."""
        ...

    def register(self, stack: ExitStack) -> None:
        """Add the scene's own properties and operators."""
        ...


def module(name: str = scenes.DEFAULT) -> SceneModule:
    """Return the package of the kind of scene of this name."""
    return import_module(f".{scenes.definition(name).name}", __name__)


def register(stack: ExitStack) -> None:
    """Register what the scenes have of their own."""
    for name in scenes.DEFINITIONS:
        module(name).register(stack)
