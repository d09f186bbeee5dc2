# SPDX-License-Identifier: GPL-3.0-or-later
"""EEVEE, the rasteriser.

Its shadows are off. Without a graphics card they are nearly all that an image costs (0.5 s a
sample, Mesa llvmpipe, against 10 ms), and a single shape that is lit from all sides has little to
show for them; Cycles has shadows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy

from ..scenes.supershape import look
from ..scenes.supershape.lamps import StudioLamps
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
        self._lamps: StudioLamps | None = None

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose EEVEE and light the scene with lamps."""
        # The first name is that of Blender 4.2 to 4.5.
        choose_engine(scene, self.label, "BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")
        scene.eevee.taa_render_samples = self._samples
        scene.eevee.use_shadows = False
        scene.eevee.use_raytracing = False
        self._lamps = StudioLamps(scene, look.studio())

    @contextmanager
    def open(self) -> Iterator[Callable[[look.Studio | None], None]]:
        """Lend a function that lights the lamps."""
        yield self._lamps.show

    def free(self) -> None:
        """Remove the lamps."""
        if self._lamps is not None:
            self._lamps.free()
