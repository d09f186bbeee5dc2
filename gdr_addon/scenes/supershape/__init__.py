# SPDX-License-Identifier: GPL-3.0-or-later
"""The supershape scene inside Blender; see :class:`gdr_addon.scenes.SceneModule`."""

from __future__ import annotations

from contextlib import ExitStack
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ....gdr_core.scene import Scene
from ....gdr_core.supershape.scene import SupershapeOptions

if TYPE_CHECKING:
    import bpy

    from .fast.renderer import FastRenderer
    from .opened import OpenedSupershape


def open_scene(scene: Scene, renderer: str) -> OpenedSupershape:
    """Open the scene for a renderer other than ``fast``."""
    from .opened import OpenedSupershape

    return OpenedSupershape(_options(scene), renderer)


def fast_renderer(scene: Scene, samples: int) -> FastRenderer:
    """Return the renderer ``fast``."""
    from .fast.renderer import FastRenderer

    return FastRenderer(_options(scene), samples)


def preview_module() -> ModuleType:
    """Return what shows samples in the viewport."""
    from . import preview

    return preview


def apply(context: bpy.types.Context, row: np.ndarray) -> str:
    """Give the selected supershape, or a new one, the form of a row; return its name."""
    from . import shape

    return shape.apply(context, row)


def options_of(scene: bpy.types.Scene, evaluate: bool) -> dict[str, Any]:
    """Return the scene's own settings as the panel has them."""
    from . import settings

    return settings.options_of(scene, evaluate)


def draw_options(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Draw the scene's own settings."""
    from . import settings

    settings.draw(layout, scene)


def draw_results(layout: bpy.types.UILayout) -> None:
    """Draw what a person can do with supershapes besides."""
    from .add_supershape import GDR_OT_add_supershape

    layout.operator(GDR_OT_add_supershape.bl_idname, icon="MESH_UVSPHERE")


def register(stack: ExitStack) -> None:
    """Add the scene's own properties and operators."""
    from ... import registration
    from . import settings
    from .add_supershape import GDR_OT_add_supershape

    settings.register(stack)
    registration.classes(stack, (GDR_OT_add_supershape,))


def _options(scene: Scene) -> SupershapeOptions:
    return msgspec.convert(scene.options, SupershapeOptions)
