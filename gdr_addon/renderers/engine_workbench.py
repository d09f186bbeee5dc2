# SPDX-License-Identifier: GPL-3.0-or-later
"""Workbench: Solid mode as a render."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import bpy

from ..scenes.supershape import look
from ..scenes.supershape.studio_lights import editable_studio
from .engine_names import choose_engine
from .viewport import SAMPLES


class Workbench:
    """Sets up Workbench to look like Solid mode; see :class:`.engine.Engine`.

    Parameters
    ----------
    samples
        Anti-aliasing samples, one of :data:`.viewport.SAMPLES`.
    """

    label = "Workbench"

    def __init__(self, samples: int) -> None:
        self._samples = samples

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose Workbench, and the studio light of the viewport."""
        choose_engine(scene, self.label, "BLENDER_WORKBENCH")
        scene.display.render_aa = SAMPLES[self._samples]
        shading = scene.display.shading
        shading.light = "STUDIO"
        shading.studio_light = look.STUDIO_LIGHT
        shading.use_world_space_lighting = False
        shading.show_specular_highlight = True
        shading.color_type = "MATERIAL"
        shading.show_backface_culling = False
        shading.show_xray = False
        shading.show_shadows = False
        shading.show_cavity = False
        shading.show_object_outline = look.OUTLINE
        shading.use_dof = False

    def open(self) -> AbstractContextManager[Callable[[look.Studio | None], None]]:
        """Lend a function that lights Solid mode, and with it Workbench."""
        return editable_studio()

    def free(self) -> None:
        """Do nothing: it adds nothing to the file."""
