# SPDX-License-Identifier: GPL-3.0-or-later
"""The shader of the fast renderer.

Vertex stage: a point is ``(A.x C.x, A.y C.x, C.y)`` for a point ``A`` of the longitude's profile
and ``C`` of the latitude's. Its normal is that of Blender's smooth shading (``mesh_normals.cc``):
the mean of the normals of the faces around it, weighted by the faces' angles at the vertex. Its
eight neighbours are products of the same six texels.

Fragment stage: Blender's Solid mode with studio lights (``workbench_world_light_lib.glsl``), after
the formulas: diffuse light wraps around by each light's own amount, ``(N.L + w) / (1 + w)^2``
(S. McAuley, *Energy-conserving wrapped diffuse*, 2011); highlights are normalised Blinn, gloss
lowered for smooth lights; a cheap Fresnel term, exp2(-8.35 N.V), brightens grazing angles.
"""

from __future__ import annotations

import gpu

_TYPES = """
struct Look {
  mat4 view;
  mat4 projection;
  vec4 light_direction[4];  /* Towards the light; w: wrap. */
  vec4 light_diffuse[4];  /* w: scale of the wrapped light. */
  vec4 light_specular[4];  /* w: the same, for the wide highlight. */
  vec4 highlight[4];  /* Shininess, its normalisation, wrap, share of the wide highlight. */
  vec4 ambient;
  vec4 material;  /* Colour; w: roughness. */
};
"""

_VERTEX = """
vec2 longitude(int u) { return texelFetch(profile, ivec2(u, first + gl_InstanceID), 0).xy; }
vec2 latitude(int v) { return texelFetch(profile, ivec2(v, first + gl_InstanceID), 0).zw; }
vec3 product(vec2 a, vec2 c) { return vec3(a * c.x, c.y); }

vec3 unit_or_zero(vec3 vector)
{
  /* Scaled first: the squares of a small vector's parts would be zero. */
  float largest = max(max(abs(vector.x), abs(vector.y)), abs(vector.z));
  if (!(largest > 1e-30)) {
    return vec3(0.0);
  }
  return normalize(vector / largest);
}

/* A face's normal, weighted by its angle at the vertex between two edges. */
vec3 weighted(vec3 face, vec3 edge, vec3 other)
{
  float angle = acos(clamp(dot(unit_or_zero(edge), unit_or_zero(other)), -1.0, 1.0));
  return unit_or_zero(face) * angle;
}

vec3 inner_normal(int u, int v, vec3 p)
{
  int columns = grid.x - 1;  /* The last column is the first one again. */
  vec2 west = longitude((u + columns - 1) % columns);
  vec2 here = longitude(u % columns);
  vec2 east = longitude((u + 1) % columns);
  vec2 south = latitude(v - 1);
  vec2 level = latitude(v);
  vec2 north = latitude(v + 1);
  vec3 e = product(east, level) - p;
  vec3 w = product(west, level) - p;
  vec3 n = product(here, north) - p;
  vec3 s = product(here, south) - p;
  vec3 ne = product(east, north) - p;
  vec3 nw = product(west, north) - p;
  vec3 sw = product(west, south) - p;
  vec3 se = product(east, south) - p;
  /* A quad's normal is the cross product of its diagonals. */
  return weighted(cross(ne, n - e), e, n) + weighted(cross(nw, w - n), n, w) +
         weighted(cross(sw, s - w), w, s) + weighted(cross(se, e - s), s, e);
}

vec3 pole_normal(int v, vec3 p)
{
  int columns = grid.x - 1;
  bool south = v == 0;
  vec2 ring = latitude(south ? 1 : v - 1);
  vec3 sum = vec3(0.0);
  vec3 a = product(longitude(0), ring) - p;
  for (int u = 0; u < columns; u++) {
    vec3 b = product(longitude((u + 1) % columns), ring) - p;
    sum += weighted(south ? cross(b, a) : cross(a, b), a, b);
    a = b;
  }
  return sum;
}

void main()
{
  int u = int(cell.x);
  int v = int(cell.y);
  vec3 p = product(longitude(u), latitude(v));
  vec3 n = (v == 0 || v == grid.y - 1) ? pole_normal(v, p) : inner_normal(u, v, p);
  n = unit_or_zero(n);
  if (n == vec3(0.0)) {
    n = vec3(0.0, 0.0, 1.0);
  }
  vec4 seen = look.view * vec4(p, 1.0);
  normal = normalize(mat3(look.view) * n);
  position = seen.xyz;

  int columns = grid.z;
  int shape = first + gl_InstanceID;
  ivec2 place = ivec2(shape % columns, shape / columns);
  tile = vec2(place * grid.w);
  /* Moving the tile before the division by w is exact for every projection. */
  vec4 clip = look.projection * seen;
  vec2 centre = vec2(2 * place + 1) / float(columns) - 1.0;
  gl_Position = vec4(clip.xy / float(columns) + centre * clip.w, clip.zw);
}
"""

_FRAGMENT = """
float saturated(float x) { return clamp(x, 0.0, 1.0); }

float wrapped(float cosine, float wrap, float scale)
{
  return saturated((cosine + wrap) * scale);
}

vec3 solid_light(vec3 n, vec3 view)
{
  float roughness = look.material.w;
  vec3 diffuse = look.ambient.rgb;
  vec3 specular = look.ambient.rgb;
  vec3 mirrored = -reflect(view, n);
  for (int i = 0; i < 4; i++) {
    vec3 to_light = look.light_direction[i].xyz;
    float wrap = look.light_direction[i].w;
    float facing = dot(to_light, n);
    diffuse += wrapped(facing, wrap, look.light_diffuse[i].w) * look.light_diffuse[i].rgb;

    vec4 shape = look.highlight[i];
    float peak = saturated(dot(normalize(to_light + view), n));
    float blinn = pow(peak, shape.x) * saturated(facing) * shape.y;
    float around = wrapped(dot(to_light, mirrored), shape.z, look.light_specular[i].w);
    specular += mix(blinn, around, shape.w) * look.light_specular[i].rgb;
  }
  float fresnel = exp2(-8.35 * saturated(dot(n, view))) * (1.0 - roughness);
  float reflected = mix(0.05, 1.0, fresnel);
  return diffuse * look.material.rgb * (1.0 - reflected) + specular * reflected;
}

vec3 srgb(vec3 linear)
{
  vec3 c = clamp(linear, 0.0, 1.0);
  vec3 dark = c * 12.92;
  vec3 bright = 1.055 * pow(max(c, vec3(1e-8)), vec3(1.0 / 2.4)) - 0.055;
  return mix(bright, dark, vec3(lessThan(c, vec3(0.0031308))));
}

void main()
{
  /* Nothing clips to a tile: what another shape's triangle throws in here goes. */
  vec2 inside = gl_FragCoord.xy - tile;
  float size = float(grid.w);
  if (any(lessThan(inside, vec2(0.0))) || any(greaterThan(inside, vec2(size)))) {
    discard;
  }
  vec3 n = normalize(gl_FrontFacing ? normal : -normal);
  /* Rays of a perspective camera meet in the origin, others are parallel. */
  bool perspective = look.projection[3][3] == 0.0;
  vec3 view = perspective ? normalize(-position) : vec3(0.0, 0.0, 1.0);
  color = vec4(srgb(solid_light(n, view)), 1.0);
}
"""


def compile_shader() -> gpu.types.GPUShader:
    """Return the compiled shader.

    Its inputs: attribute ``cell`` (column, row), texture ``profile``, uniform block ``look``,
    ``grid`` (columns, rows of the surface; columns of the atlas; pixels along a tile), ``first``
    (the row of ``profile``, and the tile, of the draw's first instance).
    """
    stages = gpu.types.GPUStageInterfaceInfo("gdr_supershape")
    stages.smooth("VEC3", "normal")
    stages.smooth("VEC3", "position")
    stages.flat("VEC2", "tile")

    info = gpu.types.GPUShaderCreateInfo()
    info.typedef_source(_TYPES)
    info.vertex_in(0, "VEC2", "cell")
    info.vertex_out(stages)
    info.fragment_out(0, "VEC4", "color")
    info.sampler(0, "FLOAT_2D", "profile")
    info.uniform_buf(0, "Look", "look")
    info.push_constant("IVEC4", "grid")
    info.push_constant("INT", "first")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)
