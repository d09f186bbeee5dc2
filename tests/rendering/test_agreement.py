# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer shows what Blender's viewport shows."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_shapes import (
    CAMERAS,
    SIZE,
    ShapeRenderer,
    broken_shapes,
    mask,
    simple_shapes,
    wild_shapes,
)
from gdr.gdr_addon.scenes.supershape import look

SHAPES = {"simple": simple_shapes, "wild": wild_shapes}


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("shapes", SHAPES)
def test_silhouettes_and_shading(renderer, camera, shapes):
    batch = SHAPES[shapes](48, seed=len(camera))
    fast = renderer("fast", camera=CAMERAS[camera]).render(batch, SIZE)
    solid = renderer("solid", camera=CAMERAS[camera]).render(batch, SIZE)

    differing = (mask(fast) != mask(solid)).mean(axis=(1, 2))
    assert differing.max() < 0.01
    assert mask(solid).mean() > 0.05
    distance = np.abs(fast.astype(int) - solid).mean(axis=(1, 2, 3))
    assert distance.mean() < 1.0
    assert distance.max() < 3.0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("shapes", SHAPES)
def test_random_light(renderer, shapes, seed):
    batch, lights = SHAPES[shapes](24, seed=seed), np.full(24, seed, np.uint32)
    fast = renderer("fast").render(batch, SIZE, lights)
    solid = renderer("solid").render(batch, SIZE, lights)
    distance = np.abs(fast.astype(int) - solid).mean(axis=(1, 2, 3))
    assert distance.mean() < 1.0
    assert distance.max() < 3.0


@pytest.mark.parametrize("grid", [(8, 8), (9, 33), (120, 20)])
@pytest.mark.parametrize("size", [32, 96])
def test_other_grids_and_sizes(renderer, grid, size):
    batch = np.concatenate((simple_shapes(6), wild_shapes(6)))
    fast = renderer("fast", grid=grid).render(batch, size)
    solid = renderer("solid", grid=grid).render(batch, size)
    assert (mask(fast) != mask(solid)).mean(axis=(1, 2)).max() < 0.01
    assert np.abs(fast.astype(int) - solid).mean() < 1.0


@pytest.mark.parametrize("name", ["fast", "solid"])
def test_shapes_that_cannot_be_drawn_are_background(renderer, name):
    images = renderer(name).render(broken_shapes(), SIZE)
    assert not mask(images).any()


def test_background_is_the_same_in_both(renderer):
    batch = simple_shapes(1)
    wanted = np.round(np.array(look.BACKGROUND) * 255)
    for name in ("fast", "solid"):
        np.testing.assert_array_equal(renderer(name).render(batch, SIZE)[0, 0, 0], wanted)


def test_samples_smooth_the_edges(renderer):
    batch = simple_shapes(2)
    rough = renderer("solid", samples=1).render(batch, SIZE)
    smooth = renderer("solid", samples=8).render(batch, SIZE)
    distance = np.abs(rough.astype(int) - smooth)
    assert 0.1 < distance.mean() < 8.0


def test_solid_leaves_the_persons_settings(renderer):
    import bpy
    from gdr.gdr_addon.renderers.viewport import find_view

    space, _ = find_view()
    space.shading.type = "WIREFRAME"
    space.shading.background_color = (0.1, 0.2, 0.3)
    overlays = space.overlay.show_overlays
    space.overlay.show_overlays = True
    samples = bpy.context.preferences.system.viewport_aa
    try:
        images = renderer("solid", samples=5).render(simple_shapes(1), SIZE)
        assert mask(images).any()
        assert space.shading.type == "WIREFRAME"
        assert tuple(space.shading.background_color) == pytest.approx((0.1, 0.2, 0.3))
        assert space.overlay.show_overlays
        assert bpy.context.preferences.system.viewport_aa == samples
    finally:
        space.shading.type = "SOLID"
        space.overlay.show_overlays = overlays


def test_solid_leaves_the_persons_lights(renderer):
    import bpy

    def lights() -> list:
        colors = [(*light.diffuse_color, *light.specular_color) for light in system.solid_lights]
        shapes = [(light.use, light.smooth, *light.direction) for light in system.solid_lights]
        return [system.use_studio_light_edit, *system.light_ambient, *colors, *shapes]

    system = bpy.context.preferences.system
    made, batch = renderer("solid"), simple_shapes(2)
    usual = made.render(batch, SIZE)
    first = system.solid_lights[0]
    color, ambient = tuple(first.diffuse_color), tuple(system.light_ambient)
    system.use_studio_light_edit = True
    first.use, first.diffuse_color, system.light_ambient = False, (0.9, 0.1, 0.2), (0.3, 0.0, 0.1)
    try:
        before = lights()
        images = made.render(batch, SIZE, np.array([0, 7], np.uint32))
        np.testing.assert_array_equal(images[0], usual[0])
        assert (images[1] != usual[1]).any()
        assert lights() == before
    finally:
        first.use, first.diffuse_color, system.light_ambient = True, color, ambient
        system.use_studio_light_edit = False


def test_freed_renderers_leave_nothing_behind():
    import bpy

    before = [len(bpy.data.scenes), len(bpy.data.meshes), len(bpy.data.objects)]
    for name in ("fast", "solid"):
        made = ShapeRenderer(name)
        made.render(simple_shapes(1), SIZE)
        made.free()
    assert [len(bpy.data.scenes), len(bpy.data.meshes), len(bpy.data.objects)] == before
