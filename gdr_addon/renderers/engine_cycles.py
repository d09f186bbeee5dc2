# SPDX-License-Identifier: GPL-3.0-or-later
"""Cycles, the path tracer: light with shadows, and light from one part of a shape on another."""

from __future__ import annotations

from contextlib import AbstractContextManager

import bpy

from ...gdr_core.errors import BadSettings
from .cycles_device import rendering_device, type_of
from .engine_names import choose_engine


class Cycles:
    """Sets up Cycles; see :class:`.engine.Engine`.

    The same request gives the same picture, noise included: the noise's seed is fixed, and every
    pixel takes the same number of samples.

    Parameters
    ----------
    samples
        Paths a pixel.
    denoise
        Whether to smooth the noise away (Open Image Denoise).
    device
        ``cpu``, ``gpu``, or ``auto`` for a GPU if there is one.
    """

    label = "Cycles"

    def __init__(self, samples: int, denoise: bool = False, device: str = "auto") -> None:
        self._samples = samples
        self._denoise = denoise
        self._device = device
        self._type = "NONE"

    def prepare(self, scene: bpy.types.Scene) -> None:
        """Choose Cycles."""
        choose_engine(scene, self.label, "CYCLES")
        if self._denoise and not _can_denoise():
            raise BadSettings(
                "This Blender was built without Open Image Denoise and cannot denoise; "
                "leave denoising off and take more samples."
            )
        self._type = type_of(self._device)
        settings = scene.cycles
        settings.device = "CPU" if self._type == "NONE" else "GPU"
        settings.samples = self._samples
        settings.use_adaptive_sampling = False
        settings.use_denoising = self._denoise
        settings.seed = 0
        settings.use_animated_seed = False
        # Keeps Cycles running from one picture to the next.
        scene.render.use_persistent_data = True

    def ready(self) -> AbstractContextManager[None]:
        """Have Cycles compute on the device."""
        return rendering_device(self._type)


def _can_denoise() -> bool:
    """Return whether Cycles was built with Open Image Denoise; Debian's 4.3 was not."""
    import _cycles  # There once the engine is.

    return getattr(_cycles, "with_openimagedenoise", True)
