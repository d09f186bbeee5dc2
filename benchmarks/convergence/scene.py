# SPDX-License-Identifier: GPL-3.0-or-later
"""The real renderer, in this process: parameters in, pictures out."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from gdr_core.supershape import parameters
from gdr_core.supershape.resolution import automatic_grid

ROOT = Path(__file__).resolve().parents[2]
SIZE = 64
GRID = automatic_grid(SIZE)
"""What the program takes where nobody says, so that what is measured is what people run."""


class Scene:
    """The fast renderer with its usual look, and with another light or background on demand.

    Needs the ``bpy`` module. Make one a process.
    """

    def __init__(self) -> None:
        runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()
        from gdr.gdr_addon.renderers import make_renderer
        from gdr.gdr_addon.scenes.supershape import look

        self._look = look
        self._make = make_renderer
        self._renderers: dict[str, object] = {}

    def render(
        self,
        x: np.ndarray,
        names: Sequence[str],
        light: str | None = None,
        background: tuple[int, int, int] | None = None,
    ) -> np.ndarray:
        """Return pictures ``(N, 64, 64, 3)`` uint8.

        Parameters
        ----------
        x
            ``(N, K)``, logarithms of the named parameters; the other ones are at their defaults.
        light
            Name of one of Blender's studio lights; None for the renderer's own.
        background
            sRGB levels; None for the renderer's own.
        """
        batch = np.repeat(parameters.defaults()[None], len(x), axis=0)
        for k, name in enumerate(names):
            batch[:, parameters.INDEX[name]] = np.exp(x[:, k])
        return self.render_parameters(batch, light, background)

    def render_parameters(
        self,
        batch: np.ndarray,
        light: str | None = None,
        background: tuple[int, int, int] | None = None,
        lights: np.ndarray | None = None,
    ) -> np.ndarray:
        """As :meth:`render`, for all twelve parameters of each shape, ``(N, 12)``.

        ``lights`` ``(N,)`` uint32 are seeds of random changes to the light; None for no change.
        """
        colour = None if background is None else tuple(level / 255 for level in background)
        with _changed(self._look, STUDIO_LIGHT=light, BACKGROUND=colour):
            renderer = self._renderers.get(light or "")
            if renderer is None:  # It takes its lights when it is made.
                self._check_light(light)
                renderer = self._renderers[light or ""] = self._make("fast", grid=GRID)
            return renderer.render(batch.astype(np.float32), SIZE, lights)

    @property
    def background(self) -> tuple[int, int, int]:
        """The renderer's own background in sRGB levels."""
        return tuple(round(255 * value) for value in self._look.BACKGROUND)

    def _check_light(self, light: str | None) -> None:
        """Without this an unknown light would silently be the usual one."""
        import bpy

        known = [item.name for item in bpy.context.preferences.studio_lights]
        if light is not None and light not in known:
            raise ValueError(f"This Blender has no studio light {light!r}; it has {known}.")


@contextmanager
def _changed(module: ModuleType, **values: object) -> Iterator[None]:
    """Set attributes of a module for a while; those that are None stay as they are."""
    changed = {name: value for name, value in values.items() if value is not None}
    before = {name: getattr(module, name) for name in changed}
    try:
        for name, value in changed.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)
