# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a scene into arrays.

Blender gives a script no pixels of a render: those of the image *Render Result* are empty, and a
compositor's *Viewer Node*, in a Blender without a window, is missing (5.0) or black (4.3, 5.2).
What it does give is a file. Under Linux that file is a piece of memory without a name, elsewhere
one in the folder for temporary files; Targa without compression, so that nothing is lost and
reading costs nothing.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from ...gdr_core.errors import GdrError

_log = logging.getLogger(__name__)

_HEADER = 18
"""Bytes before the pixels of a Targa file."""


class Pictures:
    """A context that lends a function which renders ``scene`` into a ``(size, size, 3)`` array.

    Parameters
    ----------
    scene
        Its output settings are changed for good.
    size
        Width and height in pixels.
    label
        What to call the engine where it fails.
    background
        The sRGB levels ``(3,)`` uint8 behind what is transparent; None to take colours as they are.
    """

    def __init__(
        self, scene: bpy.types.Scene, size: int, label: str, background: np.ndarray | None
    ) -> None:
        self._scene = scene
        self._size = size
        self._label = label
        self._background = background
        self._file = _File()
        render = scene.render
        render.resolution_x = render.resolution_y = size
        render.resolution_percentage = 100
        render.use_file_extension = False
        render.image_settings.file_format = "TARGA_RAW"
        render.image_settings.color_mode = "RGBA"

    def __enter__(self) -> Callable[[np.ndarray], None]:
        self._scene.render.filepath = self._file.open()
        return self._take

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def _take(self, image: np.ndarray) -> None:
        pixels = self._render()
        if not pixels[..., 3].any():
            # Now and then the first picture of a process with Workbench lacks the shape (seen in
            # Blender 5.0). One that really is out of sight is as empty the second time.
            _log.info("%s made an empty picture; once more.", self._label)
            pixels = self._render()
        if self._background is None:
            image[:] = pixels[..., 2::-1]
        else:
            _put_over(self._background, pixels[..., 2::-1], pixels[..., 3:], image)

    def _render(self) -> np.ndarray:
        """Return ``(size, size, 4)`` uint8: blue, green, red and alpha, first row on top."""
        self._file.clear()
        try:
            done = bpy.ops.render.render(scene=self._scene.name, write_still=True)
        except RuntimeError as error:  # How operators say that they failed.
            said = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
            raise GdrError(f"{self._label} could not render: {said}.") from error
        length = self._size**2 * 4
        data = self._file.read(_HEADER + length)
        if "FINISHED" not in done or len(data) != _HEADER + length:
            raise GdrError(
                f"{self._label} made no picture; Blender's own output may say why. Try the "
                f"renderer fast, or give more room for temporary files."
            )
        pixels = np.frombuffer(data, np.uint8, offset=_HEADER)
        return pixels.reshape(self._size, self._size, 4)[::-1]  # The file's first row is lowest.


def _put_over(behind: np.ndarray, colors: np.ndarray, alpha: np.ndarray, image: np.ndarray) -> None:
    """Blend as light does, in scene linear values."""
    share = alpha / np.float32(255.0)
    blended = _LINEAR[colors] * share + _LINEAR[behind] * (1.0 - share)
    image[:] = np.where(alpha == 255, colors, np.where(alpha == 0, behind, _encoded(blended)))


def _decoded(levels: np.ndarray) -> np.ndarray:
    """Return scene linear values of sRGB levels (IEC 61966-2-1), float32."""
    values = levels / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Return sRGB levels, uint8."""
    curve = 1.055 * np.power(linear, 1.0 / 2.4) - 0.055
    values = np.where(linear <= 0.0031308, 12.92 * linear, curve)
    return np.round(values * 255.0).clip(0, 255).astype(np.uint8)


_LINEAR = _decoded(np.arange(256))


class _File:
    """A file in memory where the system has such, else a temporary one; closed, it is gone."""

    def __init__(self) -> None:
        self._handle = -1
        self._folder: tempfile.TemporaryDirectory | None = None

    def open(self) -> str:
        """Return the path at which Blender finds it."""
        if hasattr(os, "memfd_create"):
            self._handle = os.memfd_create("gdr-picture")
            self._path = Path(f"/proc/self/fd/{self._handle}")
            if self._path.exists():
                return str(self._path)
            os.close(self._handle)
            self._handle = -1
        self._folder = tempfile.TemporaryDirectory(prefix="gdr-")
        self._path = Path(self._folder.name) / "picture.tga"
        return str(self._path)

    def clear(self) -> None:
        """Empty it, so that an old picture is never taken for a new one."""
        if self._handle >= 0:
            os.ftruncate(self._handle, 0)
        else:
            self._path.unlink(missing_ok=True)

    def read(self, count: int) -> bytes:
        """Return its first ``count`` bytes, or fewer if it has no more."""
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            return file.read(count)

    def close(self) -> None:
        """Give back the memory, or remove the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
