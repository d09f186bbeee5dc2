# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer's normals are those that Blender computes for the mesh."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
import pytest
from drawn_shapes import broken_shapes, simple_shapes, wild_shapes
from gdr.gdr_addon.renderers.context import ensure_gpu
from gdr.gdr_addon.scenes.supershape import mesh as supershape_mesh
from gdr.gdr_addon.scenes.supershape.fast import curves as fast_curves
from gdr.gdr_addon.scenes.supershape.fast import normals as fast_normals
from gdr.gdr_addon.scenes.supershape.fast.batch import tile_batch
from gdr.gdr_addon.scenes.supershape.points import drawable_profiles
from gdr.gdr_core.supershape.superformula import surface

_VERTEX = "void main() { gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0); }"
_FRAGMENT = """
void main()
{
  vec2 place = gl_FragCoord.xy - 0.5;
  normal = vec4(surface_normal(place.x, place.y), 1.0);
}
"""


def shader() -> gpu.types.GPUShader:
    """Return a shader that draws the normal of the vertex in column x and row y."""
    ensure_gpu()
    info = gpu.types.GPUShaderCreateInfo()
    info.define("ROWS", str(fast_curves.ROWS))
    info.vertex_in(0, "VEC2", "corner")
    info.fragment_out(0, "VEC4", "normal")
    info.sampler(0, "FLOAT_2D", "curves")
    info.push_constant("IVEC2", "grid")
    info.push_constant("INT", "shape")
    info.vertex_source(_VERTEX)
    info.fragment_source(fast_normals.SOURCE + _FRAGMENT)
    return gpu.shader.create_from_info(info)


def drawn_normals(batch: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return ``(N, U, V, 3)``, as the shader has them."""
    curves, square = shader(), tile_batch()
    texels = fast_curves.texels(*drawable_profiles(batch, grid)[:2])
    buffer = gpu.types.Buffer("FLOAT", texels.size, texels.reshape(-1))
    texture = gpu.types.GPUTexture(texels.shape[1::-1], format="RGBA32F", data=buffer)
    target = gpu.types.GPUTexture(grid, format="RGBA32F")
    framebuffer = gpu.types.GPUFrameBuffer(color_slots=(target,))
    out = np.empty((len(batch), grid[1], grid[0], 4), np.float32)
    with framebuffer.bind():
        gpu.state.viewport_set(0, 0, *grid)
        curves.bind()
        curves.uniform_sampler("curves", texture)
        curves.uniform_int("grid", grid)
        for index, image in enumerate(out):
            curves.uniform_int("shape", index)
            square.draw(curves)
            into = gpu.types.Buffer("FLOAT", image.shape, image)
            framebuffer.read_color(0, 0, *grid, 4, 0, "FLOAT", data=into)
    return out[..., :3].swapaxes(1, 2)


def mesh_normals(batch: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return ``(N, U, V, 3)``, as Blender has them; the last column's and the poles' repeated."""
    mesh = supershape_mesh.new_mesh("test", grid)
    out = np.empty((len(batch), *grid, 3), np.float32)
    try:
        for normals, points in zip(out, surface(batch, grid), strict=True):
            supershape_mesh.set_points(mesh, points)
            flat = np.empty(normals.size, np.float32)
            mesh.vertex_normals.foreach_get("vector", flat)
            normals[:] = flat.reshape(normals.shape)
    finally:
        bpy.data.meshes.remove(mesh)
    out[:, -1] = out[:, 0]
    out[:, :, [0, -1]] = out[:, :1, [0, -1]]
    return out


@pytest.mark.parametrize("grid", [(50, 50), (9, 33), (100, 40)])
def test_normals_are_those_of_the_mesh(grid):
    batch = np.concatenate((simple_shapes(10, seed=7), wild_shapes(40, seed=7)))
    ours, blenders = drawn_normals(batch, grid), mesh_normals(batch, grid)
    distance = np.linalg.norm(ours - blenders, axis=-1)
    assert np.median(distance) < 1e-6
    assert distance.max() < 1e-3


def test_shapes_that_cannot_be_drawn_have_finite_normals():
    assert np.isfinite(drawn_normals(broken_shapes(), (20, 20))).all()
