# SPDX-License-Identifier: GPL-3.0-or-later
"""A supershape of the person's own, in their scene."""

from __future__ import annotations

import math

import bpy
import numpy as np

from ....gdr_core.supershape import superformula
from . import mesh as supershape_mesh
from .points import split

GRID = (100, 100)
NAME = "GDR Supershape"
TAG = "gdr_parameters"
"""Custom property on a supershape object: its twelve parameters."""


def chosen(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the active supershape, or the first selected one."""
    for candidate in (context.active_object, *context.selected_objects):
        if candidate is not None and TAG in candidate and _fits(candidate):
            return candidate
    return None


def add(context: bpy.types.Context, parameters: np.ndarray) -> bpy.types.Object:
    """Add a supershape at the 3D cursor, and select it."""
    mesh = supershape_mesh.new_mesh(NAME, GRID)
    shape = bpy.data.objects.new(NAME, mesh)
    shape.location = context.scene.cursor.location
    context.collection.objects.link(shape)
    set_parameters(shape, parameters)
    for other in context.selected_objects:
        other.select_set(False)
    shape.select_set(True)
    context.view_layer.objects.active = shape
    return shape


def apply(context: bpy.types.Context, row: np.ndarray) -> str:
    """Give the selected supershape, or a new one, the form of a row; return its name."""
    parameters = split(row[None])[0][0]
    shape = chosen(context)
    if shape is None:
        shape = add(context, parameters)
    else:
        set_parameters(shape, parameters)
    return shape.name


def set_parameters(shape: bpy.types.Object, parameters: np.ndarray) -> None:
    """Give a supershape its form; ``parameters`` is ``(12,)``."""
    points = superformula.surface(parameters, GRID)[0]
    supershape_mesh.set_points(shape.data, np.nan_to_num(points, posinf=0.0, neginf=0.0))
    shape[TAG] = [float(value) for value in parameters]


def _fits(shape: bpy.types.Object) -> bool:
    return shape.type == "MESH" and len(shape.data.vertices) == math.prod(GRID)
