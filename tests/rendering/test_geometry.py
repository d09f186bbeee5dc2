# SPDX-License-Identifier: GPL-3.0-or-later
"""Surfaces and meshes are those of the ``supershape`` package."""

from __future__ import annotations

from itertools import pairwise

import bpy
import numpy as np
import pytest
from drawn_shapes import simple_shapes, wild_shapes
from gdr.gdr_addon.scenes.supershape import mesh as supershape_mesh
from gdr.gdr_core.supershape.superformula import surface

supershape = pytest.importorskip("supershape")


@pytest.fixture
def mesh():
    made = []

    def make(shape):
        made.append(supershape_mesh.new_mesh("test", shape))
        return made[-1]

    yield make
    for item in made:
        bpy.data.meshes.remove(item)


def positions(mesh) -> np.ndarray:
    out = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", out)
    return out.reshape(-1, 3)


@pytest.mark.parametrize("shape", [(50, 50), (13, 40)])
def test_surface_is_that_of_supershape(shape):
    batch = np.concatenate((simple_shapes(20, seed=3), wild_shapes(60, seed=3)))
    ours = surface(batch, shape)
    for parameters, points in zip(batch, ours, strict=True):
        with np.errstate(all="ignore"):
            theirs = supershape.supercoords(parameters.reshape(2, 6).astype(np.float64), shape)
        theirs = np.stack(theirs, axis=-1)
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(points, theirs, rtol=1e-5, atol=1e-6 * scale)


def test_mesh_is_that_of_supershape(mesh):
    shape = (24, 17)
    ours = mesh(shape)
    theirs = supershape.make_bpy_mesh(shape)
    try:
        parameters = wild_shapes(1, seed=2)
        supershape_mesh.set_points(ours, surface(parameters, shape)[0])
        x, y, z = supershape.supercoords(parameters[0].reshape(2, 6), shape)
        supershape.update_bpy_mesh(x, y, z, theirs)
        np.testing.assert_allclose(positions(ours), positions(theirs.data), atol=1e-5)
        assert len(ours.polygons) == len(theirs.data.polygons)
        assert len(ours.vertices) == len(theirs.data.vertices)
        assert ours.polygons[0].use_smooth
    finally:
        data = theirs.data
        bpy.data.objects.remove(theirs)
        bpy.data.meshes.remove(data)


@pytest.mark.parametrize("shape", [(4, 3), (8, 8), (50, 50), (9, 31)])
def test_mesh_is_closed_and_faces_outward(mesh, shape):
    made = mesh(shape)
    assert not made.validate()
    supershape_mesh.set_points(made, surface(simple_shapes(1), shape)[0])
    edges = np.array([edge for face in made.polygons for edge in face.edge_keys])
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert (uses == 2).all()
    # The volume under the faces, positive when they are counter-clockwise from outside.
    where = positions(made).astype(np.float64)
    volume = 0.0
    for face in made.polygons:
        a, *rest = where[list(face.vertices)]
        for b, c in pairwise(rest):
            volume += np.dot(a, np.cross(b, c)) / 6.0
    assert volume > 0.0


def test_normals_follow_the_points(mesh):
    made = mesh((32, 32))
    sphere = np.zeros((1, 12), np.float32)
    sphere[0] = (0, 1, 1, 3, 3, 3) * 2
    points = surface(sphere, (32, 32))[0]
    for moved in (points, -points):
        supershape_mesh.set_points(made, moved)
        normal = np.empty(3 * len(made.vertices), np.float32)
        made.vertex_normals.foreach_get("vector", normal)
        used = np.unique(supershape_mesh.faces((32, 32))[0])
        cosine = (normal.reshape(-1, 3) * points.reshape(-1, 3)).sum(axis=1)[used]
        # Mirroring in a point turns the faces inside out: normals keep pointing along `points`.
        assert cosine.min() > 0.99


def test_wrong_number_of_points_is_refused(mesh):
    with pytest.raises(ValueError, match="16 points"):
        supershape_mesh.set_points(mesh((5, 5)), np.zeros((4, 4, 3)))
