# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer's first stage: which place of the surface each pixel shows.

Nothing but that is drawn, so that a triangle, which is seldom larger than a pixel, costs next to
nothing; the light of a pixel is computed afterwards (:mod:`.fast_light_shader`), once, and not for
every triangle that touches it (C. Burns and W. Hunt, *The Visibility Buffer: A Cache-Friendly
Approach to Deferred Shading*, 2013).
"""

from __future__ import annotations

import gpu

_VERTEX = """
void main()
{
  int shape = first + gl_InstanceID;
  int u = int(cell.x);
  int v = int(cell.y);
  vec2 a = texelFetch(curves, ivec2(u + 1, 3 * shape), 0).xy;
  vec2 c = texelFetch(curves, ivec2(v + 1, 3 * shape), 0).zw;
  place = cell;

  int columns = layout_.x;
  ivec2 spot = ivec2(gl_InstanceID % columns, gl_InstanceID / columns);
  tile = vec2(spot * layout_.y);
  /* Moving the tile before the division by w is exact for every projection. */
  vec4 clip = camera * vec4(a * c.x, c.y, 1.0);
  vec2 centre = vec2(2 * spot + 1) / float(columns) - 1.0;
  gl_Position = vec4(clip.xy / float(columns) + centre * clip.w, clip.zw);
}
"""

_FRAGMENT = """
void main()
{
  /* Nothing clips to a tile: what another shape's triangle throws in here goes. */
  vec2 inside = gl_FragCoord.xy - tile;
  float size = float(layout_.y);
  if (any(lessThan(inside, vec2(0.0))) || any(greaterThan(inside, vec2(size)))) {
    discard;
  }
  /* Zero is where there is no surface; negative where it is seen from inside. */
  float column = place.x + 1.0;
  seen = vec2(gl_FrontFacing ? column : -column, place.y);
}
"""


def compile_shader() -> gpu.types.GPUShader:
    """Return the compiled shader.

    Its inputs: attribute ``cell`` (column, row), texture ``curves`` (:mod:`.fast_curves`),
    ``camera`` (projection times view), ``layout_`` (columns of the atlas; pixels along a tile),
    ``first`` (the shape in the first tile).
    """
    stages = gpu.types.GPUStageInterfaceInfo("gdr_supershape_place")
    stages.smooth("VEC2", "place")
    stages.flat("VEC2", "tile")

    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC2", "cell")
    info.vertex_out(stages)
    info.fragment_out(0, "VEC2", "seen")
    info.sampler(0, "FLOAT_2D", "curves")
    info.push_constant("MAT4", "camera")
    info.push_constant("IVEC2", "layout_")
    info.push_constant("INT", "first")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)
