# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer's first stage: which place of the surface each pixel shows.

A ray is cast through each pixel's centre. It first skips to where it enters the slabs that bound
the shape (T. Kay and J. Kajiya, *Ray Tracing Complex Scenes*, 1986) and then walks from cell to
cell of the surface's grid (:mod:`.walk`) until it is through the surface. Where triangles are
about as small as pixels, that is several times faster than to draw them, on a graphics card that
is a processor above all: rays are as parallel as pixels, and only the cells before a hit are
visited. The light of a pixel is computed afterwards (:mod:`.light_shader`).
"""

from __future__ import annotations

import gpu

from . import curves, walk

_TYPES = """
struct Rays {
  vec4 origin;  /* Where a ray begins, in the middle of the picture ... */
  vec4 origin_right;  /* ... what is added to it, to the right edge ... */
  vec4 origin_up;  /* ... and to the top. */
  vec4 direction;  /* Where it leads, likewise. */
  vec4 direction_right;
  vec4 direction_up;
  vec4 near;  /* Positive beyond the near plane ... */
  vec4 far;  /* ... and before the far plane. */
  mat4 camera;  /* Projection times view. */
};
"""

_VERTEX = """
vec4 bounds(int index) { return texelFetch(curves, ivec2(index, ROWS * shape + 5), 0); }

/* The part of the picture, from -1 to 1, where a box can be seen: lower left, upper right. */
vec4 outline(vec2 xs, vec2 ys, vec2 zs)
{
  vec2 low = vec2(1e30);
  vec2 high = vec2(-1e30);
  for (int i = 0; i < 8; i++) {
    vec4 clip = rays.camera * vec4(xs[i & 1], ys[(i >> 1) & 1], zs[i >> 2], 1.0);
    if (clip.w <= 0.0) {
      return vec4(-1.0, -1.0, 1.0, 1.0);
    }
    low = min(low, clip.xy / clip.w);
    high = max(high, clip.xy / clip.w);
  }
  return vec4(low, high);
}

void main()
{
  int columns = layout_.x;
  float size = float(layout_.y);
  shape = first + gl_InstanceID;
  bounds_0 = bounds(0);
  bounds_1 = bounds(1);
  bounds_2 = bounds(2);
  bounds_3 = bounds(3);
  bounds_4 = bounds(4);

  /* A pixel more on each side, and nothing of the next tile. */
  vec4 seen_in = outline(bounds_0.xy, bounds_0.zw, bounds_1.xy);
  vec2 low = clamp(seen_in.xy - 2.0 / size, -1.0, 1.0);
  vec2 high = clamp(seen_in.zw + 2.0 / size, -1.0, 1.0);
  vec2 spot = vec2(gl_InstanceID % columns, gl_InstanceID / columns);
  tile = spot * size;
  vec2 point = spot + 0.5 + 0.5 * mix(low, high, corner);
  gl_Position = vec4(point * (2.0 / float(columns)) - 1.0, 0.0, 1.0);
}
"""

_FRAGMENT = """
/* Narrows the part of a ray down to where it is between two parallel planes. */
void stay_between(float start, float speed, vec2 planes, inout vec2 part)
{
  float pace = 1.0 / (abs(speed) > 1e-20 ? speed : 1e-20);
  vec2 times = (planes - start) * pace;
  part = vec2(max(part.x, min(times.x, times.y)), min(part.y, max(times.x, times.y)));
}

/* Narrows it down to where it is on the positive side of a plane. */
void stay_beyond(vec4 plane, vec3 origin, vec3 direction, inout vec2 part)
{
  float speed = dot(plane.xyz, direction);
  float time = -(dot(plane.xyz, origin) + plane.w) / (abs(speed) > 1e-20 ? speed : 1e-20);
  part = speed > 0.0 ? vec2(max(part.x, time), part.y) : vec2(part.x, min(part.y, time));
}

void main()
{
  vec2 where = (gl_FragCoord.xy - tile) * (2.0 / float(layout_.y)) - 1.0;
  vec3 o = rays.origin.xyz + where.x * rays.origin_right.xyz + where.y * rays.origin_up.xyz;
  vec3 d = rays.direction.xyz + where.x * rays.direction_right.xyz +
           where.y * rays.direction_up.xyz;

  vec2 part = vec2(-1e30, 1e30);
  stay_beyond(rays.near, o, d, part);
  stay_beyond(rays.far, o, d, part);
  stay_between(o.x, d.x, bounds_0.xy, part);
  stay_between(o.y, d.y, bounds_0.zw, part);
  stay_between(o.z, d.z, bounds_1.xy, part);
  stay_between(o.x + o.y, d.x + d.y, bounds_1.zw, part);
  stay_between(o.x - o.y, d.x - d.y, bounds_2.xy, part);
  stay_between(o.x + o.z, d.x + d.z, bounds_2.zw, part);
  stay_between(o.x - o.z, d.x - d.z, bounds_3.xy, part);
  stay_between(o.y + o.z, d.y + d.z, bounds_3.zw, part);
  stay_between(o.y - o.z, d.y - d.z, bounds_4.xy, part);
  if (part.x >= part.y) {
    discard;
  }

  Hit hit = walk(o + part.x * d, d, part.y - part.x);
  if (!hit.found) {
    discard;
  }
  /* Zero is where there is no surface; negative where it is seen from inside. */
  seen = vec2(hit.inside ? -hit.place.x - 1.0 : hit.place.x + 1.0, hit.place.y);
}
"""


def compile_shader() -> gpu.types.GPUShader:
    """Return the compiled shader.

    Its inputs: attribute ``corner`` (of a tile, 0 or 1), texture ``curves`` (:mod:`.curves`),
    uniform block ``rays`` (:func:`.fast_rays.uniforms`), ``grid`` (columns and rows of the
    surface), ``layout_`` (columns of the atlas; pixels along a tile), ``first`` (the shape in the
    first tile).
    """
    stages = gpu.types.GPUStageInterfaceInfo("gdr_supershape_place")
    stages.flat("INT", "shape")
    stages.flat("VEC2", "tile")
    for index in range(5):
        stages.flat("VEC4", f"bounds_{index}")

    info = gpu.types.GPUShaderCreateInfo()
    info.typedef_source(_TYPES)
    info.define("ROWS", str(curves.ROWS))
    info.vertex_in(0, "VEC2", "corner")
    info.vertex_out(stages)
    info.fragment_out(0, "VEC2", "seen")
    info.sampler(0, "FLOAT_2D", "curves")
    info.uniform_buf(0, "Rays", "rays")
    info.push_constant("IVEC2", "layout_")
    info.push_constant("IVEC2", "grid")
    info.push_constant("INT", "first")
    info.vertex_source(_VERTEX)
    info.fragment_source(walk.SOURCE + _FRAGMENT)
    return gpu.shader.create_from_info(info)
