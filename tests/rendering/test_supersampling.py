# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast renderer's anti-aliasing."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_shapes import SIZE, broken_shapes, mask, simple_shapes
from gdr.gdr_addon.scenes.supershape import look
from gdr.gdr_core.errors import BadSettings


@pytest.mark.parametrize("samples", [4, 9, 16])
def test_a_pixel_is_the_mean_of_its_samples(renderer, samples):
    batch = simple_shapes(11)
    fold = int(samples**0.5)
    large = renderer("fast").render(batch, fold * SIZE)
    expected = large.reshape(11, SIZE, fold, SIZE, fold, 3).mean((2, 4))
    found = renderer("fast", samples=samples).render(batch, SIZE)
    assert np.abs(found - expected).max() <= 0.5


def test_more_samples_are_nearer_to_many(renderer):
    batch = simple_shapes(16)
    best = renderer("fast").render(batch, 16 * SIZE)
    best = best.reshape(16, SIZE, 16, SIZE, 16, 3).mean((2, 4))
    missed = [
        np.abs(renderer("fast", samples=samples).render(batch, SIZE) - best).mean()
        for samples in (1, 4, 16)
    ]
    assert missed[0] > 1.5 * missed[1] > 2.0 * missed[2]


def test_lights_and_shapes_that_cannot_be_drawn_are_as_without(renderer):
    made = renderer("fast", samples=4)
    assert not mask(made.render(broken_shapes(), SIZE)).any()
    batch, lights = simple_shapes(5), np.arange(5, dtype=np.uint32)
    together = made.render(batch, SIZE, lights)
    for index in range(5):
        one = made.render(batch[index : index + 1], SIZE, lights[index : index + 1])
        np.testing.assert_array_equal(together[index], one[0])
    corner = np.round(np.array(look.BACKGROUND) * 255)
    np.testing.assert_array_equal(together[0, 0, 0], corner)


def test_numbers_that_are_no_square_are_refused(renderer):
    with pytest.raises(BadSettings, match="5 samples are not offered by fast; choose 1, 4, 9 or"):
        renderer("fast", samples=5)
