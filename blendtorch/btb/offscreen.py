# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the scene without its window."""

from __future__ import annotations

import bpy
import gpu
import numpy as np

from ..headless import ensure_gpu
from . import utils
from .camera import Camera


class OffScreenRenderer:
    """Draws the 3D view as a camera sees it, into an array.

    Works in a window and, given EGL, under ``--background``. The first 3D view of the file lends
    its shading; :meth:`set_render_style` changes it.

    Parameters
    ----------
    camera
        Default: the scene's camera.
    mode
        ``'rgba'`` or ``'rgb'``.
    origin
        Where row 0 is: ``'upper-left'`` or ``'lower-left'``.
    color_management
        Whether the scene's view transform is applied. By default colours are linear, which looks
        darker.
    """

    def __init__(
        self,
        camera: Camera | None = None,
        mode: str = "rgba",
        origin: str = "upper-left",
        *,
        color_management: bool = False,
    ) -> None:
        if mode not in ("rgba", "rgb"):
            raise ValueError(f"mode is 'rgba' or 'rgb', not {mode!r}.")
        if origin not in ("upper-left", "lower-left"):
            raise ValueError(f"origin is 'upper-left' or 'lower-left', not {origin!r}.")
        ensure_gpu()
        self.camera = camera or Camera()
        self.mode = mode
        self.origin = origin
        self.color_management = color_management
        self.area, self.space, self.region = utils.find_first_view3d()
        height, width = self.shape
        self.offscreen = gpu.types.GPUOffScreen(width, height)
        self._channels = len(mode)
        self.buffer = np.zeros((height, width, self._channels), np.uint8)
        # Shares the array's memory, so that reading pixels is one copy.
        self._target = gpu.types.Buffer("UBYTE", self.buffer.shape, self.buffer)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.camera.shape

    def render(self) -> np.ndarray:
        """Draw the scene.

        Returns
        -------
        numpy.ndarray
            height x width x 4 (or 3), uint8. The next call overwrites it: copy what is to be kept
            (``publish`` and ``send`` do).
        """
        height, width = self.shape
        if bpy.app.background:
            bpy.context.view_layer.update()  # no window does it for us
        with self.offscreen.bind():
            self.offscreen.draw_view3d(
                bpy.context.scene,
                bpy.context.view_layer,
                self.space,
                self.region,
                self.camera.view_matrix,
                self.camera.proj_matrix,
                do_color_management=self.color_management,
            )
            gpu.state.active_framebuffer_get().read_color(
                0, 0, width, height, self._channels, 0, "UBYTE", data=self._target
            )
        return self.buffer[::-1] if self.origin == "upper-left" else self.buffer

    def set_render_style(self, shading: str = "RENDERED", overlays: bool = False) -> None:
        """Set the view's shading (``'SOLID'``, ``'RENDERED'``, ...) and overlays on or off."""
        self.space.shading.type = shading
        self.space.overlay.show_overlays = overlays

    def free(self) -> None:
        """Give the GPU's memory back; the renderer cannot be used afterwards."""
        self.offscreen.free()
