# SPDX-License-Identifier: GPL-3.0-or-later
"""The normals of the fast renderer, as a shader computes them.

A vertex' normal is that of Blender's smooth shading (``mesh_normals.cc``): the mean of the normals
of the faces around it, weighted by the faces' angles at the vertex. Those at the poles, where all
columns meet, are in the texture (:mod:`.curves`).
"""

from __future__ import annotations

SOURCE = """
/* What is known of the longitude's or the latitude's point `index`, from -1 on. */
vec4 curve(int row, int index)
{
  return texelFetch(curves, ivec2(index + 1, ROWS * shape + row), 0);
}

/* The unit normal of the face between a segment of the longitude and one of the latitude. */
vec3 face_normal(vec3 side, vec2 rise)
{
  float across = side.z * rise.x;
  float square = rise.y * rise.y + across * across;
  return vec3(rise.y * side.y, -rise.y * side.x, -across) * inversesqrt(max(square, 1e-37));
}

/* As Blender has it; off by 5e-5 at most. */
float angle(float cosine)
{
  float x = min(abs(cosine), 1.0);
  float acute = sqrt(1.0 - x) *
                (1.5707963267 + x * (-0.213300989 + x * (0.077980478 + x * -0.02164095)));
  return cosine < 0.0 ? 3.1415926536 - acute : acute;
}

/* How far the edge along the latitude leads away from the axis, of a length of 1. */
float lean(float square, vec2 rise)
{
  return rise.x * inversesqrt(max(square * rise.x * rise.x + rise.y * rise.y, 1e-37));
}

/* The normal of the vertex at a point of the longitude, between two segments of it, and between two
 * segments of the latitude. */
vec3 vertex_normal(vec2 point, vec3 west, vec3 east, vec2 south, vec2 north)
{
  float square = dot(point, point);
  float lean_north = lean(square, north);
  float lean_south = lean(square, south);
  float to_east = dot(east.xy, point);
  float to_west = -dot(west.xy, point);
  vec3 normal = face_normal(east, north) * angle(to_east * lean_north) +
                face_normal(west, north) * angle(to_west * lean_north) +
                face_normal(west, south) * angle(-to_west * lean_south) +
                face_normal(east, south) * angle(-to_east * lean_south);
  float length_squared = dot(normal, normal);
  return length_squared > 0.0 ? normal * inversesqrt(length_squared) : vec3(0.0, 0.0, 1.0);
}

/* The normal, not of length 1, at a place on the surface counted in columns and rows. */
vec3 surface_normal(float column, float row)
{
  int u = clamp(int(column), 0, grid.x - 2);
  int v = clamp(int(row), 0, grid.y - 2);
  float right = column - float(u);
  float up = row - float(v);
  vec2 near = curve(0, u).xy;
  vec2 far = curve(0, u + 1).xy;
  vec3 west = curve(1, u - 1).xyz;
  vec3 here = curve(1, u).xyz;
  vec3 east = curve(1, u + 1).xyz;
  vec3 south = curve(2, v - 1).xyz;
  vec2 level = curve(2, v).xy;
  vec3 north = curve(2, v + 1).xyz;
  bool south_pole = v == 0;
  bool north_pole = v == grid.y - 2;

  /* A quad's diagonal runs from its south-east to its north-west. */
  vec3 south_east = south_pole ? south : vertex_normal(far, here, east, south.xy, level);
  vec3 north_west = north_pole ? north : vertex_normal(near, west, here, level, north.xy);
  bool beyond = right + up > 1.0;
  vec3 corner = vertex_normal(beyond ? far : near, beyond ? here : west, beyond ? east : here,
                              beyond ? level : south.xy, beyond ? north.xy : level);
  if (beyond ? north_pole : south_pole) {
    corner = beyond ? north : south;
  }
  vec2 weight = beyond ? 1.0 - vec2(up, right) : vec2(right, up);
  return corner * (1.0 - weight.x - weight.y) + south_east * weight.x + north_west * weight.y;
}
"""
