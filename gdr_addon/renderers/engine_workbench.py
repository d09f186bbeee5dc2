# SPDX-License-Identifier: GPL-3.0-or-later
"""Workbench: Solid mode as a render."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import bpy

from .engine_names import choose_engine
from .viewport import SAMPLES


class Workbench:
    """Sets up Workbench; see :class:`.engine.Engine`.

    Parameters
    ----------
    samples
        Anti-aliasing samples, one of :data:`.viewport.SAMPLES`.
    """

    label = "Workbench"

    def __init__(self, samples: int) -> None:
        self._samples = samples

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose Workbench."""
        choose_engine(scene, self.label, "BLENDER_WORKBENCH")
        scene.display.render_aa = SAMPLES[self._samples]

    def ready(self) -> AbstractContextManager[None]:
        """Need nothing."""
        return nullcontext()
