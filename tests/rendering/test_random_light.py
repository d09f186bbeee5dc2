# SPDX-License-Identifier: GPL-3.0-or-later
"""A light is a function of its seed, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_shapes import SIZE, broken_shapes, mask, simple_shapes, wild_shapes
from gdr.gdr_addon.scenes.supershape import look
from gdr.gdr_addon.scenes.supershape.random_light import studio_of

both = pytest.mark.parametrize("name", ["fast", "solid"])
OWN = look.Studio(look.DEFAULT_LIGHTS, (0.0, 0.0, 0.0))


def seeds(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint32)


def shapes() -> np.ndarray:
    return np.concatenate((simple_shapes(8), wild_shapes(8)))


@both
def test_light_zero_is_the_scenes_own_whatever_its_neighbours(renderer, name):
    made, batch = renderer(name), shapes()
    own = made.render(batch, SIZE)
    for lights in (seeds(), np.zeros(16, np.uint32)):
        np.testing.assert_array_equal(made.render(batch, SIZE, lights), own)
    some = np.arange(16, dtype=np.uint32) // 2 % 3
    np.testing.assert_array_equal(made.render(batch, SIZE, some)[some == 0], own[some == 0])
    np.testing.assert_array_equal(made.render(batch, SIZE), own)


@both
def test_a_seed_is_a_light(renderer, name):
    batch = np.repeat(simple_shapes(1), 4, axis=0)
    images = renderer(name).render(batch, SIZE, seeds(0, 5, 6, 2**32 - 1)).astype(int)
    np.testing.assert_array_equal(
        renderer(name).render(batch, SIZE, seeds(0, 5, 6, 2**32 - 1)), images
    )
    shape = mask(images).all(axis=0)
    for one in range(4):
        for other in range(one):
            assert np.abs(images[one] - images[other])[shape].mean() > 5
    assert (mask(images) == mask(images[:1])).mean() > 0.99


def test_place_in_the_batch_changes_nothing(renderer):
    made, batch = renderer("fast"), shapes()
    lights = np.random.default_rng(3).integers(0, 9, len(batch), dtype=np.uint32)
    pairs = zip(batch, lights, strict=True)
    alone = np.concatenate([made.render(row[None], SIZE, seeds(light)) for row, light in pairs])
    images = made.render(batch[::-1], SIZE, lights[::-1])[::-1]
    distance = np.abs(images.astype(int) - alone).max(axis=-1)
    assert (distance > 1).mean() < 2e-4
    assert (distance > 0).mean() < 5e-3


@both
def test_shapes_that_cannot_be_drawn_are_background_in_any_light(renderer, name):
    lights = np.arange(len(broken_shapes()), dtype=np.uint32)
    assert not mask(renderer(name).render(broken_shapes(), SIZE, lights)).any()


def test_lights_turn_together_and_keep_their_colour():
    for seed in range(1, 20):
        drawn = studio_of(seed, OWN)
        before = np.array([light.direction for light in OWN.lights])
        after = np.array([light.direction for light in drawn.lights])
        np.testing.assert_allclose(after @ after.T, before @ before.T, atol=1e-12)
        for light, own in zip(drawn.lights, OWN.lights, strict=True):
            assert np.ptp(np.array(light.diffuse) / own.diffuse) < 1e-12
            assert np.ptp(np.array(light.specular) / own.specular) < 1e-12
            assert light.smooth == own.smooth


def test_lights_are_as_strong_as_documented():
    drawn = [studio_of(seed, OWN) for seed in range(1, 1001)]
    own = np.array([light.diffuse[0] for light in OWN.lights])
    gloss = np.array([light.specular[0] for light in OWN.lights])
    brightness = np.log([[light.diffuse[0] for light in studio.lights] for studio in drawn] / own)
    shine = np.log([[light.specular[0] for light in studio.lights] for studio in drawn] / gloss)
    ambient = np.array([studio.ambient[0] for studio in drawn])
    assert brightness.mean() == pytest.approx(0.0, abs=0.05)
    assert brightness.std() == pytest.approx(0.7, abs=0.03)
    assert (shine - brightness).std() == pytest.approx(0.4, abs=0.02)
    assert 0.0 < ambient.min() < ambient.max() < 0.15
    assert ambient.mean() == pytest.approx(0.075, abs=0.005)
