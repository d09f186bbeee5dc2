# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer: one instanced draw for a whole batch in one light.

The spherical product makes a supershape from two profile curves, so a texture with a row a shape
and ``(r1 cos u, r1 sin u, r2 cos v, r2 sin v)`` in it is all that the vertex shader needs; no mesh
is ever built or uploaded. Each instance is drawn into its tile of an atlas, and the shader
(:mod:`.fast_shader`) lights it as Blender's Solid mode does.
"""

from __future__ import annotations

import math
from itertools import pairwise

import gpu
import numpy as np

from ...gdr_core.camera import Camera
from ..supershape_mesh import faces
from . import fast_shader, look
from .points import check_batch, check_lights, drawable_profiles
from .random_light import SCENE_LIGHT, studio_of

_MAX_ATLAS = 2048
"""Pixels along a side of the atlas, at most: 32 MB of colour and depth."""
_MAX_VERTICES = 8_000_000
"""Vertices in one draw, at most, so that no draw holds a graphics card for seconds."""


class FastRenderer:
    """Supershapes drawn by their own shader; see :class:`gdr_addon.renderers.Renderer`.

    Parameters
    ----------
    camera
        The view on every shape.
    grid
        Longitude and latitude resolution.
    samples
        Samples a pixel: a square number. Images are drawn that many times as large and averaged,
        as they are shown.
    """

    def __init__(self, camera: Camera, grid: tuple[int, int], samples: int = 1) -> None:
        self._grid = grid
        self._fold = math.isqrt(samples)
        self._shader = fast_shader.compile_shader()
        self._batch = _grid_batch(grid)
        self._view, self._projection = camera.arrays()
        self._clearance = _clearance(self._view, self._projection)
        self._studio = look.studio()
        self._uniforms = self._uniforms_of(SCENE_LIGHT)
        self._atlas: _Atlas | None = None

    def render(
        self, parameters: np.ndarray, size: int, lights: np.ndarray | None = None
    ) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        parameters = check_batch(parameters, size)
        lights = check_lights(lights, len(parameters))
        images = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
        drawn = size * self._fold
        chunk = self._chunk(drawn)
        for start in range(0, len(parameters), chunk):
            part = slice(start, start + chunk)
            self._render_chunk(parameters[part], drawn, lights[part], images[part])
        return images

    def free(self) -> None:
        """Give back the atlas and the buffers."""
        if self._atlas is not None:
            self._atlas.offscreen.free()
        self._atlas = self._batch = self._uniforms = self._shader = None

    def _chunk(self, size: int) -> int:
        side = min(_MAX_ATLAS, gpu.capabilities.max_texture_size_get())
        columns = _power_of_two(max(1, side // size))
        return max(1, min(columns * columns, _MAX_VERTICES // math.prod(self._grid)))

    def _uniforms_of(self, seed: int) -> gpu.types.GPUUniformBuf:
        """Return what the shader must know to draw in the light of that seed."""
        block = look.uniforms(self._view, self._projection, studio_of(seed, self._studio))
        return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", block.size, block.reshape(-1)))

    def _uniforms_by_seed(self, lights: np.ndarray) -> dict[int, gpu.types.GPUUniformBuf]:
        own = {SCENE_LIGHT: self._uniforms}
        seeds = set(lights.tolist()) - own.keys()
        return own | {seed: self._uniforms_of(seed) for seed in seeds}

    def _draw(self, lights: np.ndarray, uniforms: dict[int, gpu.types.GPUUniformBuf]) -> None:
        """Draw the shapes, those in a row that share a light in one go."""
        changes = 1 + np.flatnonzero(lights[1:] != lights[:-1])
        for first, end in pairwise([0, *changes.tolist(), len(lights)]):
            self._shader.uniform_block("look", uniforms[int(lights[first])])
            self._shader.uniform_int("first", first)
            self._batch.draw_instanced(self._shader, instance_count=end - first)

    def _render_chunk(
        self, parameters: np.ndarray, size: int, lights: np.ndarray, images: np.ndarray
    ) -> None:
        count = len(parameters)
        columns = 1
        while columns * columns < count:
            columns *= 2
        if self._atlas is None or (self._atlas.columns, self._atlas.size) != (columns, size):
            if self._atlas is not None:
                self._atlas.offscreen.free()
            self._atlas = _Atlas(columns, size)
        rows = -(-count // columns)
        atlas = self._atlas

        longitude, latitude, _ = drawable_profiles(parameters, self._grid)
        texture = _profile_texture(longitude, latitude)
        uniforms = self._uniforms_by_seed(lights)
        # A supershape is star-shaped around its centre, so its back faces are behind its front
        # faces, unless the near plane cuts it open. Half the triangles need no drawing then.
        closed = _radius(longitude, latitude) < self._clearance
        with atlas.offscreen.bind():
            framebuffer = gpu.state.active_framebuffer_get()
            gpu.state.viewport_set(0, 0, atlas.side, atlas.side)
            gpu.state.depth_test_set("LESS_EQUAL")
            gpu.state.depth_mask_set(True)
            gpu.state.blend_set("NONE")
            gpu.state.face_culling_set("BACK" if closed else "NONE")
            framebuffer.clear(color=(*look.BACKGROUND, 1.0), depth=1.0)
            shader = self._shader
            shader.bind()
            shader.uniform_sampler("profile", texture)
            shader.uniform_int("grid", (*self._grid, columns, size))
            self._draw(lights, uniforms)
            framebuffer.read_color(
                0, 0, atlas.side, rows * size, 4, 0, "UBYTE", data=atlas.readback(rows)
            )
            gpu.state.face_culling_set("NONE")
            gpu.state.depth_mask_set(False)
            gpu.state.depth_test_set("NONE")

        tiles = atlas.pixels[: rows * size].reshape(rows, size, columns, size, 4)
        # The atlas' first row is at the bottom, an image's is on top.
        tiles = tiles[:, ::-1, :, :, :3].swapaxes(1, 2)
        for row in range(rows):
            part = images[row * columns : (row + 1) * columns]
            part[:] = _reduced(tiles[row, : len(part)], self._fold)


class _Atlas:
    """The picture that holds a square of tiles, and where it is read to."""

    def __init__(self, columns: int, size: int) -> None:
        self.columns = columns
        self.size = size
        self.side = columns * size
        self.offscreen = gpu.types.GPUOffScreen(self.side, self.side, format="RGBA8")
        self.pixels = np.empty((self.side, self.side, 4), dtype=np.uint8)

    def readback(self, rows: int) -> gpu.types.Buffer:
        """Return a buffer over the pixels of the first rows of tiles (no copy)."""
        part = self.pixels[: rows * self.size]
        return gpu.types.Buffer("UBYTE", part.shape, part)


def _reduced(tiles: np.ndarray, fold: int) -> np.ndarray:
    """Return ``(n, S, S, 3)`` of ``(n, fold * S, fold * S, 3)`` uint8: the mean of each square."""
    if fold == 1:
        return tiles
    total = sum(
        tiles[:, row::fold, column::fold].astype(np.uint16)
        for row in range(fold)
        for column in range(fold)
    )
    return ((total + fold * fold // 2) // (fold * fold)).astype(np.uint8)


def _profile_texture(longitude: np.ndarray, latitude: np.ndarray) -> gpu.types.GPUTexture:
    """Return the profile curves, ``max(U, V)`` texels wide and a row a shape.

    Shapes that cannot be drawn are all zeros: triangles without an area cover no pixel.
    """
    columns, rows = longitude.shape[1], latitude.shape[1]
    texels = np.zeros((len(longitude), max(columns, rows), 4), dtype=np.float32)
    texels[:, :columns, :2] = longitude
    texels[:, :rows, 2:] = latitude
    return gpu.types.GPUTexture(
        (texels.shape[1], texels.shape[0]),
        format="RGBA32F",
        data=gpu.types.Buffer("FLOAT", texels.size, texels.reshape(-1)),
    )


def _radius(longitude: np.ndarray, latitude: np.ndarray) -> float:
    """Return the radius of a ball around the origin that holds every shape of the batch."""
    across = np.abs(longitude).max(initial=0.0) * np.abs(latitude[..., 0]).max(initial=0.0)
    return float(np.hypot(np.sqrt(2.0) * across, np.abs(latitude[..., 1]).max(initial=0.0)))


def _clearance(view: np.ndarray, projection: np.ndarray) -> float:
    """Return how far the origin lies beyond the near plane; 0 for a mirrored view."""
    clip = projection @ view
    if np.linalg.det(view[:3, :3]) < 0 or np.linalg.det(projection) > 0:
        return 0.0
    near = clip[2] + clip[3]  # Positive on the visible side.
    return float(near[3] / np.linalg.norm(near[:3]))


def _grid_batch(grid: tuple[int, int]) -> gpu.types.GPUBatch:
    """Return the triangles of a grid; a vertex knows its column and row and nothing else."""
    corners, starts = faces(grid)
    sizes = np.diff(np.append(starts, len(corners)))
    quads = starts[sizes == 4]
    first = np.concatenate((starts, quads))
    second = np.concatenate((starts + 1, quads + 2))
    third = np.concatenate((starts + 2, quads + 3))
    triangles = corners[np.stack((first, second, third), axis=-1)]

    cells = np.stack(np.indices(grid), axis=-1).reshape(-1, 2).astype(np.float32)
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="cell", comp_type="F32", len=2, fetch_mode="FLOAT")
    vertices = gpu.types.GPUVertBuf(layout, len(cells))
    vertices.attr_fill("cell", cells)
    indices = gpu.types.GPUIndexBuf(type="TRIS", seq=np.ascontiguousarray(triangles, np.uint32))
    return gpu.types.GPUBatch(type="TRIS", buf=vertices, elem=indices)


def _power_of_two(number: int) -> int:
    """Return the largest power of two up to ``number``."""
    return 1 << (number.bit_length() - 1)
