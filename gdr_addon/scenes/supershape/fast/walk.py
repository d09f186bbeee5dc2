# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a ray meets a supershape, as a shader computes it: a walk from cell to cell.

The half-planes through the axis and the columns cut space into wedges, the cones through the origin
and the rows cut it into shells, and a wedge and a shell share one *cell*, which holds one face. All
of a cell's edges but those of the face lead to the origin, since the surface is star-shaped. With
``A``, ``B`` and ``C``, ``E`` the points of the two curves around a cell (:mod:`.curves`), the
distance from the axis in units of the longitude's curve, ``g``, and the distance from the origin in
units of the surface, ``h``, are linear in it:

    g = (x (B - A).y - y (B - A).x) / (A x B),    h = (g (E - C).y - z (E - C).x) / (C x E).

The surface is where ``h`` is 1. So along a ray both are linear from the wall of a cell to the next,
and one division finds where it is through the face; the walls are found likewise (J. Amanatides and
A. Woo, *A Fast Voxel Traversal Algorithm for Ray Tracing*, 1987, for a grid that is not regular).
Nothing is approximated: what a ray meets is the mesh, seen from any side.

Some shapes have arms like needles and fins like paper, where ``g`` climbs by ten orders of
magnitude between two columns. What is linear is therefore never extrapolated: it is computed at the
walls, where ``g`` is the distance from the axis over that of the curve's point, and ``h`` likewise.
"""

from __future__ import annotations

SOURCE = """
struct Hit {
  bool found;
  bool inside;  /* Whether it was met from inside. */
  vec2 place;  /* Column and row. */
};

/* About the longitude's segment from `column` on: g as a function of x and y, and g along the wall
 * where it begins, as a function of both too. */
vec4 wedge(int column) { return texelFetch(curves, ivec2(column + 1, ROWS * shape + 3), 0); }

/* About the latitude's segment from `row` on: h as a function of g and z, and h along its wall. */
vec4 shell(int row) { return texelFetch(curves, ivec2(row + 1, ROWS * shape + 4), 0); }

/* What divides `a` and `b` by the weights of each, which need not add up to 1. Neither is computed
 * from the other, so that it is exact however much larger one of them is. */
vec3 between(vec3 a, vec3 b, float weight_a, float weight_b)
{
  vec2 share = clamp(vec2(weight_a, weight_b) / (weight_a + weight_b), 0.0, 1.0);
  return a * share.x + b * share.y;
}

/* The place on a face of a point, given its g. The face is two triangles, and columns and rows are
 * linear in each. */
vec2 place_on_face(int column, int row, vec3 point, float g)
{
  vec2 near = texelFetch(curves, ivec2(column + 1, ROWS * shape), 0).xy;
  vec2 far = texelFetch(curves, ivec2(column + 2, ROWS * shape), 0).xy;
  vec2 south = texelFetch(curves, ivec2(row + 1, ROWS * shape), 0).zw;
  vec2 north = texelFetch(curves, ivec2(row + 2, ROWS * shape), 0).zw;
  vec2 along = far - near;
  vec2 up = north - south;
  float right = dot(point.xy - g * near, along) / max(g * dot(along, along), 1e-37);
  float above = dot(vec2(g, point.z) - south, up) / max(dot(up, up), 1e-37);
  right = clamp(right, 0.0, 1.0);
  above = clamp(above, 0.0, 1.0);

  /* The diagonal runs from the south-east to the north-west; a face at a pole is one half. */
  float width = mix(south.x, north.x, above);
  float lower = right * width / max(south.x, 1e-37);
  float upper = 1.0 - (1.0 - right) * width / max(north.x, 1e-37);
  bool beyond = row == 0 || (row < grid.y - 2 && lower + above > 1.0);
  return vec2(float(column) + (beyond ? upper : lower), float(row) + above);
}

/* Follows the ray from `o` along `d` until `end`, in lengths of `d`. */
Hit walk(vec3 o, vec3 d, float end)
{
  const float HALF_TURN = 3.1415926536;
  ivec2 cells = grid - 1;
  float turns = 0.5 * (atan(o.y, o.x) / HALF_TURN + 1.0);
  int column = clamp(int(turns * float(cells.x)), 0, cells.x - 1);
  vec4 here = wedge(column);
  vec4 east = wedge(column + 1);
  bool eastward = o.x * d.y > o.y * d.x;

  /* Where the ray is: g, z and time, which are linear in each other through a wedge. */
  vec3 at = vec3(dot(here.xy, o.xy), o.z, 0.0);
  turns = atan(at.y, at.x) / HALF_TURN + 0.5;
  int row = clamp(int(turns * float(cells.y)), 0, cells.y - 1);
  vec4 level = shell(row);
  vec4 north = shell(row + 1);
  float h = dot(level.xy, at.xy);

  Hit hit;
  hit.found = false;
  hit.inside = h < 1.0;
  vec3 exit = at;
  bool enters = true;
  bool ends = false;
  for (int i = cells.x * cells.y; i > 0; i--) {
    if (enters) {
      vec2 wall = eastward ? east.zw : here.zw;
      float distance = wall.x * o.y - wall.y * o.x;
      float speed = wall.x * d.y - wall.y * d.x;
      float leave = (eastward ? speed > 0.0 : speed < 0.0) ? -distance / speed : end;
      ends = leave >= end;
      leave = clamp(leave, at.z, end);
      vec3 point = o + leave * d;
      exit = vec3(dot(ends ? here.xy : wall, point.xy), point.z, leave);
      enters = false;
    }
    bool rises = at.x * exit.y > at.y * exit.x;
    vec2 wall = rises ? north.zw : level.zw;
    float before = wall.x * at.y - wall.y * at.x;
    float after = wall.x * exit.y - wall.y * exit.x;
    bool crosses = rises ? after > 0.0 && row < cells.y - 1 : after < 0.0 && row > 0;
    vec3 next = crosses ? between(at, exit, after, -before) : exit;
    float h_next = dot(crosses ? wall : level.xy, next.xy);
    if ((h_next < 1.0) != hit.inside) {
      at = between(at, next, h_next - 1.0, 1.0 - h);
      hit.found = true;
      break;
    }
    at = next;
    h = h_next;
    if (crosses) {
      row += rises ? 1 : -1;
      vec4 other = shell(rises ? row + 1 : row);
      vec4 passed = rises ? north : level;
      level = rises ? passed : other;
      north = rises ? other : passed;
    }
    else if (ends) {
      break;
    }
    else {
      enters = true;
      /* The first column follows on the last. */
      column += eastward ? 1 : -1;
      column += column < 0 ? cells.x : (column < cells.x ? 0 : -cells.x);
      vec4 other = wedge(eastward ? column + 1 : column);
      vec4 passed = eastward ? east : here;
      here = eastward ? passed : other;
      east = eastward ? other : passed;
    }
  }
  hit.place = place_on_face(column, row, vec3((o + at.z * d).xy, at.y), at.x);
  return hit;
}
"""
