# SPDX-License-Identifier: GPL-3.0-or-later
"""Views and coordinates."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


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


def _evaluated(objs: tuple[Any, ...], depsgraph: Any) -> list[Any]:
    graph = depsgraph or bpy.context.evaluated_depsgraph_get()
    return [o.evaluated_get(graph) for o in objs]


def _vertices(obj: Any) -> np.ndarray:
    flat = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def _to_world(obj: Any, xyz: np.ndarray) -> np.ndarray:
    return dehom(hom(xyz) @ np.asarray(obj.matrix_world).T)
