# SPDX-License-Identifier: GPL-3.0-or-later
"""Views, coordinates, places and what is seen."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Vector

_IN_FRONT = 1.0 - 1e-4  # of the way to a point; its own surface is not in front of it


def find_first_view3d() -> tuple[Any, Any, Any]:
    """Return area, space and widest window region of a 3D view.

    The window's current screen comes first; without one, or without a 3D view in it (headless), the
    first screen of the file that has one.

    Raises
    ------
    RuntimeError
        If the file has no 3D view at all.
    """
    current = bpy.context.screen
    screens = ([current] if current is not None else []) + list(bpy.data.screens)
    for screen in screens:
        for area in screen.areas:
            if area.type != "VIEW_3D":
                continue
            regions = [r for r in area.regions if r.type == "WINDOW"]
            if regions:
                return area, area.spaces.active, max(regions, key=lambda r: r.width)
    raise RuntimeError("No screen of this file has a 3D view; open one in a workspace and save it.")


def object_coordinates(*objs: Any, depsgraph: Any = None) -> np.ndarray:
    """Return the vertices of evaluated objects in object space, N x 3."""
    return np.concatenate([_vertices(o) for o in _evaluated(objs, depsgraph)])


def world_coordinates(*objs: Any, depsgraph: Any = None) -> np.ndarray:
    """Return the vertices of evaluated objects in world space, N x 3."""
    return np.concatenate(
        [_to_world(o, _vertices(o)) for o in _evaluated(objs, depsgraph)],
    )


def bbox_world_coordinates(*objs: Any, depsgraph: Any = None) -> np.ndarray:
    """Return the 8 bounding-box corners of each evaluated object in world space, 8N x 3."""
    return np.concatenate(
        [_to_world(o, np.array(o.bound_box)) for o in _evaluated(objs, depsgraph)],
    )


def hom(x: np.ndarray, v: float = 1.0) -> np.ndarray:
    """Append the homogeneous coordinate `v` to the last axis."""
    return np.concatenate((x, np.full((*x.shape[:-1], 1), v, dtype=x.dtype)), axis=-1)


def dehom(x: np.ndarray) -> np.ndarray:
    """Divide by the last coordinate and drop it."""
    return x[..., :-1] / x[..., -1:]


def random_spherical_loc(
    radius_range: tuple[float, float] | None = None,
    theta_range: tuple[float, float] | None = None,
    phi_range: tuple[float, float] | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Return a random place around the origin.

    Directions are uniform over their part of the sphere: its area element is sin(theta) d theta
    d phi, so that phi and cos(theta) are drawn uniformly. The radius is drawn uniformly.

    Parameters
    ----------
    radius_range
        Smallest and largest distance from the origin; default (1, 1).
    theta_range
        Smallest and largest angle from the z axis in radians; default (0, pi).
    phi_range
        Smallest and largest angle around the z axis, from the x axis; default (0, 2 pi).
    rng
        Default: NumPy's global generator, which ``numpy.random.seed`` seeds.

    Returns
    -------
    numpy.ndarray
        x, y, z.
    """
    uniform = (rng or np.random).uniform
    low, high = theta_range or (0.0, np.pi)
    cos = uniform(np.cos(high), np.cos(low))
    sin = np.sqrt(1.0 - cos**2)
    phi = uniform(*(phi_range or (0.0, 2.0 * np.pi)))
    radius = uniform(*(radius_range or (1.0, 1.0)))
    return radius * np.array([sin * np.cos(phi), sin * np.sin(phi), cos])


def compute_object_visibility(
    obj: Any,
    cam: Any,
    N: int = 25,  # the original's name
    scene: Any = None,
    view_layer: Any = None,
    dist: float | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> float:
    """Estimate which share of an object no other object hides from a camera.

    Sight lines run to points drawn uniformly from the object's surface; one is free if it meets no
    other object first. Each counts with ``|cos a| / d**2``, where a is the angle between line and
    normal and d the distance (``|cos a|`` for an orthographic camera). That turns an integral over
    the surface into one over the solid angle, or the area, in which it is seen. So the result is
    the visible share of the object's outline if all lines cross the object equally often, as with
    planes and convex objects; parts with more layers count for more. The frame of the picture plays
    no part, and what is behind the camera counts as hidden.

    Parameters
    ----------
    obj
        An object with a surface, as it is in the viewport with its modifiers.
    cam
        A :class:`.Camera` or a camera object.
    N
        Number of sight lines. With half of a sphere hidden the standard error is 0.6 / sqrt(N).
    scene, view_layer
        Default: the current ones.
    dist
        Points that are farther away than this count as hidden; default: none are.
    rng
        Default: NumPy's global generator, which ``numpy.random.seed`` seeds.

    Returns
    -------
    float
        From 0 (all is hidden) to 1.

    Raises
    ------
    ValueError
        If `obj` has no surface.
    """
    scene = scene or bpy.context.scene
    view_layer = view_layer or bpy.context.view_layer
    view_layer.update()
    graph = view_layer.depsgraph
    camera = getattr(cam, "bpy_camera", cam)
    points, normals = _random_surface_points(obj.evaluated_get(graph), N, rng or np.random)

    axis = np.array((camera.matrix_world.to_3x3() @ Vector((0.0, 0.0, -1.0))).normalized())
    to_points = points - np.asarray(camera.matrix_world.translation)
    depth = to_points @ axis
    if camera.data.type == "ORTHO":
        distance = depth
        lines = np.broadcast_to(axis, points.shape)
        weight = np.abs(normals @ axis)
    else:
        distance = np.linalg.norm(to_points, axis=1)
        lines = to_points / np.maximum(distance, 1e-12)[:, None]
        weight = np.abs((normals * lines).sum(1)) / np.maximum(distance, 1e-12) ** 2
    free = (depth > 0.0) & (distance <= (np.inf if dist is None else dist))
    for i in np.flatnonzero(free):
        start = Vector(points[i] - distance[i] * lines[i])
        hit, *_, other, _ = scene.ray_cast(
            graph, start, Vector(lines[i]), distance=distance[i] * _IN_FRONT
        )
        free[i] = not hit or other.original == obj.original
    total = weight.sum()
    return float(weight[free].sum() / total) if total > 0.0 else 0.0


def _random_surface_points(obj: Any, count: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return points uniform on an evaluated object's surface and their normals, in world space."""
    mesh = obj.to_mesh()
    try:
        mesh.calc_loop_triangles()
        corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        vertices = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", vertices)
    finally:
        obj.to_mesh_clear()
    xyz = _to_world(obj, vertices.reshape(-1, 3).astype(np.float64))
    a, b, c = np.moveaxis(xyz[corners.reshape(-1, 3)], 1, 0)
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    if not area.sum() > 0.0:
        raise ValueError(f"The object {obj.name!r} has no surface.")
    which = np.searchsorted(np.cumsum(area) / area.sum(), rng.uniform(size=count))
    # Uniform in a triangle: of a point in the parallelogram take the half it lies in.
    u, v = rng.uniform(size=(2, count, 1))
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    points = a[which] + u * (b - a)[which] + v * (c - a)[which]
    return points, (normal / np.maximum(area, 1e-300)[:, None])[which]


def _evaluated(objs: tuple[Any, ...], depsgraph: Any) -> list[Any]:
    graph = depsgraph or bpy.context.evaluated_depsgraph_get()
    return [o.evaluated_get(graph) for o in objs]


def _vertices(obj: Any) -> np.ndarray:
    flat = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _to_world(obj: Any, xyz: np.ndarray) -> np.ndarray:
    return dehom(hom(xyz) @ np.asarray(obj.matrix_world).T)
