# SPDX-License-Identifier: GPL-3.0-or-later
"""EEVEE, the rasteriser."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import bpy

from .engine_names import choose_engine


class Eevee:
    """Sets up EEVEE; see :class:`.engine.Engine`.

    Parameters
    ----------
    samples
        Anti-aliasing samples.
    """

    label = "EEVEE"

    def __init__(self, samples: int) -> None:
        self._samples = samples

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose EEVEE."""
        # The first name is that of Blender 4.2 to 4.5.
        choose_engine(scene, self.label, "BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")
        scene.eevee.taa_render_samples = self._samples

    def ready(self) -> AbstractContextManager[None]:
        """Need nothing."""
        return nullcontext()
