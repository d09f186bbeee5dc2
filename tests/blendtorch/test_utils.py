# SPDX-License-Identifier: GPL-3.0-or-later
"""Random places and visible shares, against what geometry says."""

import bpy
import numpy as np
import pytest

from blendtorch import btb

N = 4000
TOLERANCE = 0.04  # more than four standard errors


@pytest.fixture
def camera():
    """A camera at a height of 5 that looks down on the origin, in an empty scene."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    data = bpy.data.cameras.new("Camera")
    obj = bpy.data.objects.new("Camera", data)
    bpy.context.collection.objects.link(obj)
    obj.location.z = 5
    return btb.Camera(obj, shape=(48, 64))


def plane(size, location=(0, 0, 0), **kwargs):
    bpy.ops.mesh.primitive_plane_add(size=size, location=location, **kwargs)
    return bpy.context.object


def sphere(radius=1.0):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=radius)
    return bpy.context.object


def half_plane(height, edge):
    """A plane that covers all with x > edge."""
    return plane(20, (edge + 10, 0, height))


def mesh_object(vertices, faces):
    mesh = bpy.data.meshes.new("Mesh")
    mesh.from_pydata(vertices, [], faces)
    obj = bpy.data.objects.new("Mesh", mesh)
    bpy.context.collection.objects.link(obj)
    return obj


def visible(obj, cam, **kwargs):
    rng = np.random.default_rng(3)
    share = btb.utils.compute_object_visibility(obj, cam, N=N, rng=rng, **kwargs)
    assert type(share) is float
    return share


def segment(d):
    """Share of the unit disc with x > d."""
    return (np.arccos(d) - d * np.sqrt(1 - d**2)) / np.pi


def solid_angle(left, right, h):
    """Solid angle of a rectangle from x = left to right and y = -1 to 1, at a distance of h."""

    def corner(x):  # of the rectangle from 0 to x and 0 to 1
        return np.arctan(x / (h * np.sqrt(x * x + 1 + h * h)))

    return 2 * (corner(right) - corner(left))


# --- what is seen --------------------------------------------------------------------------------


def test_nothing_in_front_and_all_in_front(camera):
    obj = sphere()
    assert visible(obj, camera) == 1.0
    below = plane(20, (0, 0, -2))
    assert visible(obj, camera) == 1.0  # what is behind hides nothing
    assert 0.5 < visible(below, camera) < 1.0
    plane(20, (0, 0, 2))
    assert visible(obj, camera) == 0.0
    assert visible(below, camera) == 0.0


@pytest.mark.parametrize("edge", [-0.6, 0.0, 0.5])
def test_a_plane_behind_the_edge_of_another(camera, edge):
    obj = plane(2)  # 5 below the camera, and seen at right angles
    half_plane(2.5, edge / 2)  # half-way, so its edge lies over x = edge
    expected = solid_angle(-1, edge, 5) / solid_angle(-1, 1, 5)
    assert visible(obj, camera) == pytest.approx(expected, abs=TOLERANCE)


def test_what_is_near_counts_for_more(camera):
    near = [(x, y, 4) for x, y in ((-2, -1), (-1, -1), (-1, 1), (-2, 1))]
    far = [(x, y, 0) for x, y in ((1, -1), (2, -1), (2, 1), (1, 1))]
    obj = mesh_object(near + far, [(0, 1, 2, 3), (4, 5, 6, 7)])
    half_plane(4.5, 0.1)
    shares = solid_angle(1, 2, 1), solid_angle(1, 2, 5)  # at distances of 1 and 5
    assert visible(obj, camera) == pytest.approx(shares[0] / sum(shares), abs=TOLERANCE)


@pytest.mark.parametrize("edge", [-0.5, 0.0, 0.5])
def test_a_sphere_behind_an_edge_for_an_orthographic_camera(camera, edge):
    camera.bpy_camera.data.type = "ORTHO"
    obj = sphere()
    half_plane(2.5, edge)
    # All lines are parallel: the visible part of a disc, of which a segment is hidden.
    assert visible(obj, camera) == pytest.approx(1 - segment(edge), abs=TOLERANCE)


def test_a_sphere_behind_a_smaller_disc(camera):
    obj = sphere()
    bpy.ops.mesh.primitive_circle_add(
        vertices=128, radius=0.2, fill_type="NGON", location=(0, 0, 3)
    )
    # Both are cones around the axis: the sphere's has sin 1/5, the disc's tan 0.2/2.
    cap = 1 - 1 / np.sqrt(1 + 0.1**2)
    expected = 1 - cap / (1 - np.sqrt(1 - 1 / 25))
    assert visible(obj, camera) == pytest.approx(expected, abs=TOLERANCE)


def test_the_density_of_the_vertices_makes_no_difference(camera):
    edges = [-1, *np.linspace(0, 1, 21)]  # one rectangle on the left, twenty on the right
    vertices = [(x, y, 0) for x in edges for y in (-1, 1)]
    faces = [(2 * i, 2 * i + 2, 2 * i + 3, 2 * i + 1) for i in range(21)]
    obj = mesh_object(vertices, faces)
    half_plane(2.5, 0.0)
    assert visible(obj, camera) == pytest.approx(0.5, abs=TOLERANCE)


def test_modifiers_count(camera):
    obj = plane(2, (-2, 0, 0))
    half_plane(2.5, 0.0)
    assert visible(obj, camera) == 1.0
    array = obj.modifiers.new("And another on the right", "ARRAY")
    array.use_relative_offset, array.use_constant_offset = False, True
    array.constant_offset_displace = (4, 0, 0)
    assert visible(obj, camera) == pytest.approx(0.5, abs=TOLERANCE)


def test_where_the_object_and_the_camera_are_counts(camera):
    obj = sphere()
    half_plane(2.5, 0.0)
    assert visible(obj, camera) == pytest.approx(0.5, abs=TOLERANCE)
    obj.location.x = -2
    assert visible(obj, camera) == 1.0
    obj.location.x = 0
    camera.look_at(look_from=(0, 0, -5))
    assert visible(obj, camera) == 1.0
    assert visible(obj, camera.bpy_camera) == 1.0
    camera.look_at(look_from=(0, 0, -5), look_at=(0, 0, -10))
    assert visible(obj, camera) == 0.0  # it is behind the camera


def test_dist(camera):
    obj = plane(0.1)
    assert visible(obj, camera, dist=5.1) == 1.0
    assert visible(obj, camera, dist=4.9) == 0.0


def test_the_original_signature(camera):
    np.random.seed(1)
    obj = sphere()
    half_plane(2.5, 0.0)
    shares = [btb.utils.compute_object_visibility(obj, camera) for _ in range(40)]
    assert 0.4 < np.mean(shares) < 0.6
    assert 0.05 < np.std(shares) < 0.2
    np.random.seed(1)
    assert btb.utils.compute_object_visibility(obj, camera, 25) == shares[0]


def test_an_object_without_a_surface(camera):
    obj = bpy.data.objects.new("Wire", bpy.data.meshes.new("Wire"))
    bpy.context.collection.objects.link(obj)
    with pytest.raises(ValueError, match="no surface"):
        btb.utils.compute_object_visibility(obj, camera)


# --- random places -------------------------------------------------------------------------------


def places(count=20_000, **kwargs):
    rng = np.random.default_rng(5)
    return np.array([btb.utils.random_spherical_loc(**kwargs, rng=rng) for _ in range(count)])


def assert_uniform(values, low, high):
    """No value of the empirical distribution is off by what one sample in a million would be."""
    assert values.min() >= low - 1e-9
    assert values.max() <= high + 1e-9
    expected = (np.sort(values) - low) / (high - low)
    steps = np.arange(1, len(values) + 1) / len(values)
    # Kolmogorov: P(D > x / sqrt(n)) is about 2 exp(-2 x^2).
    assert np.abs(expected - steps).max() < 2.7 / np.sqrt(len(values))


def test_directions_are_uniform_on_the_sphere():
    xyz = places()
    np.testing.assert_allclose(np.linalg.norm(xyz, axis=1), 1.0)
    for axis in range(3):  # Archimedes: each coordinate of a uniform direction is uniform
        assert_uniform(xyz[:, axis], -1, 1)
    assert_uniform(np.arctan2(xyz[:, 1], xyz[:, 0]), -np.pi, np.pi)


def test_ranges():
    xyz = places(radius_range=(2, 5), theta_range=(0.3, 1.2), phi_range=(-0.5, 1.0))
    radius = np.linalg.norm(xyz, axis=1)
    assert_uniform(radius, 2, 5)
    assert_uniform(xyz[:, 2] / radius, np.cos(1.2), np.cos(0.3))
    assert_uniform(np.arctan2(xyz[:, 1], xyz[:, 0]), -0.5, 1.0)


def test_the_global_seed_counts():
    np.random.seed(7)
    first = btb.utils.random_spherical_loc((1, 2))
    np.random.seed(7)
    np.testing.assert_array_equal(btb.utils.random_spherical_loc((1, 2)), first)
    assert first.shape == (3,)
