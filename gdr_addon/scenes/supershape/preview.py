# SPDX-License-Identifier: GPL-3.0-or-later
"""The grid of supershapes that shows the newest samples, beside the targets' contact sheet.

Everything is in one collection, marked with a custom property, and is looked up by name each time:
undo and the opening of a file invalidate references, and the person may delete what they like.
Grid and sheet face the reference camera, and each shape stands as that camera sees it in a render.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ....gdr_core import camera
from ....gdr_core.supershape import superformula, view
from ... import ids
from ...run import contact_sheet
from . import mesh as supershape_mesh
from .points import split

GRID = (32, 32)
"""Longitude and latitude resolution of a shape."""
SIDE = 4.8
"""Width and height of the grid, and of the sheet, in metres."""
_NAME = "GDR Preview {:02d}"
_GAP = 0.4
_HEIGHT = 4.4
"""Of the middle above the world's origin, along the camera's up: clear of what stands there."""
_REACH = 1.45
"""Radius that a shape may have to stay within its cell."""
_CHUNK = 2
"""Shapes that are moved between two looks at the clock."""


def _frame() -> Matrix:
    """Return the frame in which the preview lies: X right, Y up, Z towards the reference camera."""
    rotation = camera.look_at(view.LOCATION, (0.0, 0.0, 0.0))[:3, :3].T
    matrix = Matrix([list(map(float, row)) for row in rotation]).to_4x4()
    matrix.translation = matrix.to_3x3() @ Vector((0.0, _HEIGHT, 0.0))
    return matrix


def find(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    """Return the scene's preview, if it is there."""
    for collection in scene.collection.children_recursive:
        if collection.get(ids.PREVIEW_TAG):
            return collection
    return None


def build(scene: bpy.types.Scene, rows: int) -> bpy.types.Collection:
    """Return the scene's preview with a grid of ``rows * rows`` shapes, made anew."""
    remove(scene)
    collection = bpy.data.collections.new(ids.PREVIEW_COLLECTION)
    collection[ids.PREVIEW_TAG] = True
    scene.collection.children.link(collection)
    frame, cell = _frame(), SIDE / rows
    for number in range(rows * rows):
        row, column = divmod(number, rows)
        name = _NAME.format(number + 1)
        shape = _link(collection, name, supershape_mesh.new_mesh(name, GRID), number)
        offset = Vector((_GAP / 2 + (column + 0.5) * cell, SIDE / 2 - (row + 0.5) * cell, 0.0))
        # The shape itself is turned like the world, as in the renders.
        shape.matrix_world = Matrix.LocRotScale(
            frame @ offset, None, Vector((1.0, 1.0, 1.0)) * (cell / 2 / _REACH)
        )
    return collection


def add_sheet(scene: bpy.types.Scene, path: Path) -> None:
    """Put the targets' contact sheet to the left of the grid."""
    collection = find(scene)
    if collection is None:
        return
    image = contact_sheet.image(path)
    for thing in collection.objects:
        if thing.type == "EMPTY" and ids.PREVIEW_TAG in thing:
            thing.data = image
            return
    sheet = _link(collection, ids.PREVIEW_SHEET, None, -1)
    sheet.empty_display_type = "IMAGE"
    sheet.data = image
    sheet.empty_display_size = SIDE
    sheet.empty_image_depth = "DEFAULT"
    sheet.empty_image_side = "DOUBLE_SIDED"
    sheet.matrix_world = _frame() @ Matrix.Translation((-_GAP / 2 - SIDE / 2, 0.0, 0.0))


def remove(scene: bpy.types.Scene) -> bool:
    """Take the preview out of the scene and the file; return whether there was one."""
    collection = find(scene)
    if collection is None:
        return False
    made = [thing for thing in collection.objects if ids.PREVIEW_TAG in thing]
    data = {thing.data for thing in made if thing.data is not None}
    for thing in made:
        bpy.data.objects.remove(thing)
    for block in data:
        if block.users == 0 and isinstance(block, bpy.types.Mesh):
            bpy.data.meshes.remove(block)
        elif block.users == 0 and block.get(ids.PREVIEW_TAG):
            bpy.data.images.remove(block)
    if collection.objects or collection.children:
        # The person put something of their own in here.
        del collection[ids.PREVIEW_TAG]
    else:
        bpy.data.collections.remove(collection)
    return True


def frame_area(context: bpy.types.Context) -> bool:
    """Turn the context's 3D view so that the preview fills it; return whether it could.

    A view through a camera is left alone, and so is the direction of any view.
    """
    area, view = context.area, context.region_data
    if area is None or area.type != "VIEW_3D":
        return False
    space = area.spaces.active
    view = space.region_3d
    region = next(region for region in area.regions if region.type == "WINDOW")
    sidebar = max((r.width for r in area.regions if r.type == "UI"), default=0)
    if view.view_perspective == "CAMERA" or region.width <= 2 * sidebar:
        return False
    frame = _frame()
    half = Vector((SIDE + _GAP / 2, SIDE / 2, 0.0))
    rotation = view.view_rotation.to_matrix()
    corners = [
        rotation.transposed() @ frame.to_3x3() @ Vector((x * half.x, y * half.y, 0.0))
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    width, height, depth = (max(p[k] for p in corners) * 2.0 for k in range(3))
    free = region.width - sidebar
    # The lens is that of a 36 mm sensor on the region's longer side, but the viewport's is 72 mm.
    longer = max(region.width, region.height)
    seen = 72.0 / space.lens / longer  # Metres a pixel shows, at one metre's distance.
    need = 1.1 * max(width / free, height / region.height)
    view.view_distance = need / seen + depth / 2
    # The sidebar covers the right: move the middle of the free part to the middle of the region.
    view.view_location = frame.translation + rotation @ Vector((need * sidebar / 2, 0.0, 0.0))
    return True


def _link(collection, name: str, data: bpy.types.ID | None, number: int) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    thing[ids.PREVIEW_TAG] = number
    thing.hide_select = True
    thing.hide_render = True
    collection.objects.link(thing)
    return thing


class Updates:
    """Brings the newest samples into the grid, a few shapes at a time."""

    def __init__(self) -> None:
        self._queue: deque[tuple[int, np.ndarray]] = deque()

    @property
    def pending(self) -> bool:
        """Whether shapes wait to be moved."""
        return bool(self._queue)

    def show(self, rows: np.ndarray, count: int) -> None:
        """Ask for the first ``count`` rows ``(K, P)`` to be shown, over what still waits."""
        parameters = split(rows)[0]
        self._queue.clear()
        if len(parameters):
            self._queue.extend((n, parameters[n % len(parameters)]) for n in range(count))

    def clear(self) -> None:
        """Forget what waits."""
        self._queue.clear()

    def work(self, scene: bpy.types.Scene, clock, until: float) -> bool:
        """Move shapes until ``clock()`` passes ``until``; return whether any was moved."""
        collection = find(scene)
        if collection is None:
            self._queue.clear()
            return False
        shapes = {
            thing[ids.PREVIEW_TAG]: thing.data
            for thing in collection.objects
            if thing.type == "MESH" and ids.PREVIEW_TAG in thing
        }
        moved = False
        while self._queue and clock() < until:
            batch = [self._queue.popleft() for _ in range(min(_CHUNK, len(self._queue)))]
            points = superformula.surface(np.stack([sample for _, sample in batch]), GRID)
            # A shape that the formula blows up must not cover its neighbours.
            np.nan_to_num(points, copy=False, posinf=_REACH, neginf=-_REACH)
            np.clip(points, -_REACH, _REACH, out=points)
            for (number, _), surface in zip(batch, points, strict=True):
                mesh = shapes.get(number)
                # A mesh in Edit Mode has its points elsewhere.
                if mesh is None or mesh.is_editmode:
                    continue
                if len(mesh.vertices) == math.prod(GRID):
                    supershape_mesh.set_points(mesh, surface)
                    moved = True
        return moved
