# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer: a ray for each pixel of a whole batch.

The spherical product makes a supershape from two profile curves, so a small texture of them
(:mod:`.curves`) is all that the shaders need; no mesh is ever built or uploaded. The first
draw (:mod:`.place_shader`) casts a ray for each pixel of an atlas, a tile a shape, and finds
which place of the surface it meets; the second (:mod:`.light_shader`) lights the pixels as
Blender's Solid mode does.
"""

from __future__ import annotations

import math
from itertools import pairwise

import gpu
import numpy as np

from .....gdr_core.supershape.scene import SUPERSHAPE, SupershapeOptions
from .....gdr_core.supershape.view import reference_camera
from ....renderers.rows import check_rows
from .. import look
from ..points import drawable_profiles, split
from ..random_light import SCENE_LIGHT, studio_of
from . import curves as fast_curves
from . import light_shader, place_shader, rays
from .atlas import Atlas
from .batch import tile_batch

_MAX_ATLAS = 2048
"""Pixels along a side of an atlas, at most: 64 MB of places, depth and colour."""
_FEW = 4
"""Shapes that are worth a draw of their own, so that one is read while the next is drawn."""
_ATLASES = 2
_DRAWS = 4
"""Draws that a batch is divided into, at most, for that alone."""


class FastRenderer:
    """Supershapes drawn by their own shader; see :class:`gdr_addon.renderers.Renderer`.

    Parameters
    ----------
    options
        The scene's, filled.
    samples
        Samples a pixel: a square number. Images are drawn that many times as large and averaged,
        as they are shown.
    """

    def __init__(self, options: SupershapeOptions, samples: int = 1) -> None:
        self._grid = options.grid
        self._fold = math.isqrt(samples)
        self._place_shader = place_shader.compile_shader()
        self._light_shader = light_shader.compile_shader()
        self._tiles = tile_batch()
        self._view, self._projection = (options.camera or reference_camera()).arrays()
        self._rays = _uniform_buffer(rays.uniforms(self._view, self._projection))
        self._studio = look.studio()
        self._uniforms = self._uniforms_of(SCENE_LIGHT)
        self._atlases: list[Atlas] = []

    def render(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        parameters, lights = split(check_rows(rows, len(SUPERSHAPE.parameters), size))
        images = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
        # As many as the texture of their curves holds.
        most = gpu.capabilities.max_texture_size_get() // fast_curves.ROWS
        for start in range(0, len(parameters), most):
            part = slice(start, start + most)
            self._render_part(parameters[part], lights[part], images[part])
        return images

    def free(self) -> None:
        """Give back the atlases and the buffers."""
        self._tiles = self._rays = self._uniforms = None
        self._place_shader = self._light_shader = None
        self._atlases = []

    def _render_part(self, parameters: np.ndarray, lights: np.ndarray, images: np.ndarray) -> None:
        longitude, latitude, _ = drawable_profiles(parameters, self._grid)
        curves = _texture(fast_curves.texels(longitude, latitude))
        count, size = images.shape[:2]
        chunk = self._chunk(count, size)
        self._make_atlases(chunk, count, size)
        drawn: list[tuple[Atlas, range]] = []
        for start in range(0, count, chunk):
            if len(drawn) == len(self._atlases):
                _read(images, *drawn.pop(0))
            atlas = self._atlases[start // chunk % len(self._atlases)]
            shapes = range(start, min(start + chunk, count))
            self._draw(atlas, curves, shapes, lights)
            drawn.append((atlas, shapes))
        for atlas, shapes in drawn:
            _read(images, atlas, shapes)

    def _chunk(self, count: int, size: int) -> int:
        """Return how many shapes of so many are drawn at once."""
        side = min(_MAX_ATLAS, gpu.capabilities.max_texture_size_get())
        columns = _power_of_two(max(1, side // (size * self._fold)))
        draws = max(-(-count // (columns * columns)), min(_DRAWS, count // _FEW), 1)
        return -(-count // draws)

    def _make_atlases(self, chunk: int, count: int, size: int) -> None:
        """Have as many atlases as there are chunks, at most two."""
        columns = 1
        while columns * columns < chunk:
            columns *= 2
        wanted = (columns, size, self._fold)
        if self._atlases and self._atlases[0].layout != wanted:
            self._atlases = []  # Given back before there are others.
        missing = min(_ATLASES, -(-count // chunk)) - len(self._atlases)
        self._atlases += [Atlas(*wanted) for _ in range(missing)]

    def _uniforms_of(self, seed: int) -> gpu.types.GPUUniformBuf:
        """Return what the shader must know to draw in the light of that seed."""
        studio = studio_of(seed, self._studio)
        return _uniform_buffer(look.uniforms(self._view, self._projection, studio))

    def _uniforms_by_seed(self, lights: np.ndarray) -> dict[int, gpu.types.GPUUniformBuf]:
        own = {SCENE_LIGHT: self._uniforms}
        seeds = set(lights.tolist()) - own.keys()
        return own | {seed: self._uniforms_of(seed) for seed in seeds}

    def _draw(
        self,
        atlas: Atlas,
        curves: gpu.types.GPUTexture,
        shapes: range,
        lights: np.ndarray,
    ) -> None:
        """Have shapes drawn; the graphics card need not have done it yet."""
        try:
            self._draw_places(atlas, curves, shapes)
            self._draw_light(atlas, curves, shapes, lights)
            atlas.draw_mean()
        finally:
            gpu.state.depth_mask_set(False)
            gpu.state.depth_test_set("NONE")

    def _draw_places(self, atlas: Atlas, curves: gpu.types.GPUTexture, shapes: range) -> None:
        """Draw shapes, as what they show where."""
        shader = self._place_shader
        with atlas.bind_places():
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            gpu.state.blend_set("NONE")
            gpu.state.face_culling_set("NONE")
            shader.bind()
            shader.uniform_sampler("curves", curves)
            shader.uniform_block("rays", self._rays)
            shader.uniform_int("grid", self._grid)
            shader.uniform_int("layout_", (atlas.columns, atlas.tile))
            shader.uniform_int("first", shapes.start)
            self._tiles.draw_instanced(shader, instance_count=len(shapes))

    def _draw_light(
        self, atlas: Atlas, curves: gpu.types.GPUTexture, shapes: range, lights: np.ndarray
    ) -> None:
        """Light what was drawn, shapes in a row that share a light in one go."""
        lights = lights[shapes.start : shapes.stop]
        uniforms = self._uniforms_by_seed(lights)
        changes = 1 + np.flatnonzero(lights[1:] != lights[:-1])
        shader = self._light_shader
        with atlas.bind_picture():
            gpu.state.depth_test_set("GREATER")
            gpu.state.depth_mask_set(False)
            gpu.state.face_culling_set("NONE")
            shader.bind()
            shader.uniform_sampler("curves", curves)
            shader.uniform_sampler("places", atlas.places)
            shader.uniform_int("grid", self._grid)
            for first, end in pairwise([0, *changes.tolist(), len(lights)]):
                shader.uniform_block("look", uniforms[int(lights[first])])
                layout = (atlas.columns, atlas.tile, first, shapes.start)
                shader.uniform_int("layout_", layout)
                self._tiles.draw_instanced(shader, instance_count=end - first)


def _read(images: np.ndarray, atlas: Atlas, shapes: range) -> None:
    atlas.read(images[shapes.start : shapes.stop])


def _texture(texels: np.ndarray) -> gpu.types.GPUTexture:
    """Return a texture of ``(height, width, 4)`` float32."""
    return gpu.types.GPUTexture(
        (texels.shape[1], texels.shape[0]),
        format="RGBA32F",
        data=gpu.types.Buffer("FLOAT", texels.size, texels.reshape(-1)),
    )


def _uniform_buffer(block: np.ndarray) -> gpu.types.GPUUniformBuf:
    """Return a uniform buffer of ``(K, 4)`` float32."""
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", block.size, block.reshape(-1)))


def _power_of_two(number: int) -> int:
    """Return the largest power of two up to ``number``."""
    return 1 << (number.bit_length() - 1)
