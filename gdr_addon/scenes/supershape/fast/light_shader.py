# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer's second stage: light, once for each pixel.

A pixel's normal is interpolated between the three vertices of the triangle that the first stage
(:mod:`.place_shader`) saw there, with the normals of :mod:`.normals`.

The light is that of Blender's Solid mode with studio lights (``workbench_world_light_lib.glsl``),
after the formulas: diffuse light wraps around by each light's own amount, ``(N.L + w) / (1 + w)^2``
(S. McAuley, *Energy-conserving wrapped diffuse*, 2011); highlights are normalised Blinn, gloss
lowered for smooth lights; a cheap Fresnel term, exp2(-8.35 N.V), brightens grazing angles.
"""

from __future__ import annotations

import gpu

from . import curves, normals

_TYPES = """
struct Look {
  mat4 view;
  vec4 ray;  /* Towards the camera in the middle of the picture ... */
  vec4 ray_right;  /* ... and what is added to it, to the right edge ... */
  vec4 ray_up;  /* ... and to the top. */
  vec4 light_direction[4];  /* Towards the light; w: wrap. */
  vec4 light_diffuse[4];  /* w: scale of the wrapped light. */
  vec4 light_specular[4];  /* w: the same, for the wide highlight. */
  vec4 highlight[4];  /* Shininess, its normalisation, wrap, share of the wide highlight. */
  vec4 ambient;
  vec4 material;  /* Colour; w: roughness. */
};
"""

_VERTEX = """
void main()
{
  int columns = layout_.x;
  int spot = layout_.z + gl_InstanceID;
  shape = layout_.w + spot;
  vec2 place = vec2(spot % columns, spot / columns);
  tile = place * float(layout_.y);
  /* At the far end: nearer is only what the first stage has drawn. */
  gl_Position = vec4((place + corner) * (2.0 / float(columns)) - 1.0, 1.0, 1.0);
}
"""

_LIGHT = """
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
  float front = dot(n, view);
  for (int i = 0; i < 4; i++) {
    vec3 to_light = look.light_direction[i].xyz;
    float wrap = look.light_direction[i].w;
    float facing = dot(to_light, n);
    float aside = dot(to_light, view);
    diffuse += wrapped(facing, wrap, look.light_diffuse[i].w) * look.light_diffuse[i].rgb;

    vec4 shape = look.highlight[i];
    /* With the half vector, to_light + view, and with the mirrored view, 2 front n - view. */
    float peak = saturated((facing + front) * inversesqrt(max(2.0 + 2.0 * aside, 1e-12)));
    float blinn = pow(max(peak, 1e-8), shape.x) * saturated(facing) * shape.y;
    float around = wrapped(2.0 * front * facing - aside, shape.z, look.light_specular[i].w);
    specular += mix(blinn, around, shape.w) * look.light_specular[i].rgb;
  }
  float fresnel = exp2(-8.35 * saturated(front)) * (1.0 - roughness);
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

"""

_FRAGMENT = """
void main()
{
  vec2 cell = texelFetch(places, ivec2(gl_FragCoord.xy), 0).xy;
  vec3 n = mat3(look.view) * surface_normal(abs(cell.x) - 1.0, cell.y);
  vec2 where = (gl_FragCoord.xy - tile) * (2.0 / float(layout_.y)) - 1.0;
  vec3 ray = look.ray.xyz + where.x * look.ray_right.xyz + where.y * look.ray_up.xyz;
  color = vec4(srgb(solid_light(normalize(cell.x < 0.0 ? -n : n), normalize(ray))), 1.0);
}
"""


def compile_shader() -> gpu.types.GPUShader:
    """Return the compiled shader.

    Its inputs: attribute ``corner`` (of a tile, 0 or 1), textures ``curves``
    (:mod:`.curves`) and ``places`` (what the first stage drew), uniform block ``look``
    (:func:`.look.uniforms`), ``grid`` (columns and rows of the surface), ``layout_`` (columns of
    the atlas; pixels along a tile; the tile of the first instance; the shape in the atlas' first
    tile).
    """
    stages = gpu.types.GPUStageInterfaceInfo("gdr_supershape_light")
    stages.flat("INT", "shape")
    stages.flat("VEC2", "tile")

    info = gpu.types.GPUShaderCreateInfo()
    info.typedef_source(_TYPES)
    info.define("ROWS", str(curves.ROWS))
    info.vertex_in(0, "VEC2", "corner")
    info.vertex_out(stages)
    info.fragment_out(0, "VEC4", "color")
    info.sampler(0, "FLOAT_2D", "curves")
    info.sampler(1, "FLOAT_2D", "places")
    info.uniform_buf(0, "Look", "look")
    info.push_constant("IVEC4", "layout_")
    info.push_constant("IVEC2", "grid")
    info.vertex_source(_VERTEX)
    info.fragment_source(normals.SOURCE + _LIGHT + _FRAGMENT)
    return gpu.shader.create_from_info(info)
