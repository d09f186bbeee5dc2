# SPDX-License-Identifier: GPL-3.0-or-later
"""An image depends on its own parameters and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_shapes import SIZE, broken_shapes, mask, simple_shapes, wild_shapes
from gdr.gdr_addon.scenes.supershape.fast import renderer as fast_module
from gdr.gdr_core.errors import BadSettings


@pytest.mark.parametrize("name", ["fast", "solid"])
def test_no_shapes_no_images(renderer, name):
    images = renderer(name).render(np.empty((0, 12), np.float32), SIZE)
    assert images.shape == (0, SIZE, SIZE, 3)
    assert images.dtype == np.uint8


@pytest.mark.parametrize("name", ["fast", "solid"])
def test_repeated_batches_are_identical(renderer, name):
    made = renderer(name)
    batch = np.concatenate((simple_shapes(5), wild_shapes(5)))
    np.testing.assert_array_equal(made.render(batch, SIZE), made.render(batch, SIZE))


@pytest.mark.parametrize("name", ["fast", "solid"])
def test_broken_neighbours_change_nothing(renderer, name):
    made = renderer(name)
    batch = np.concatenate((simple_shapes(8), wild_shapes(8)))
    alone = made.render(batch, SIZE)
    bad = broken_shapes()
    mixed = batch.copy()
    mixed[1 : 1 + 2 * len(bad) : 2] = bad
    kept = np.ones(len(batch), dtype=bool)
    kept[1 : 1 + 2 * len(bad) : 2] = False
    images = made.render(mixed, SIZE)
    np.testing.assert_array_equal(images[kept], alone[kept])
    assert not mask(images[~kept]).any()


def test_place_in_the_batch_changes_nothing(renderer):
    made = renderer("fast")
    batch = np.concatenate((simple_shapes(10), wild_shapes(10)))
    alone = np.concatenate([made.render(row[None], SIZE) for row in batch])
    np.testing.assert_array_equal(made.render(batch, SIZE), alone)
    np.testing.assert_array_equal(made.render(batch[::-1], SIZE)[::-1], alone)
    many = np.concatenate((batch, simple_shapes(45, seed=1), batch))
    images = made.render(many, SIZE)
    np.testing.assert_array_equal(images[:20], alone)
    np.testing.assert_array_equal(images[-20:], alone)


def test_giants_stay_in_their_tile(renderer):
    made = renderer("fast")
    giant = wild_shapes(1)[0]
    giant[:] = (0, 3, 1, 1, 1, 1, 0, 3, 1, 1, 1, 1)  # A radius of 9: wider than the frame.
    empty = np.full(12, np.nan, np.float32)
    images = made.render(
        np.stack((empty, empty, empty, empty, giant, empty, empty, empty, empty)), 32
    )
    assert mask(images).any(axis=(1, 2)).tolist() == [False] * 4 + [True] + [False] * 4


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 63, 64, 65])
def test_any_number_of_shapes(renderer, count):
    batch = simple_shapes(count, seed=count)
    made = renderer("fast", grid=(20, 20))
    images = made.render(batch, 32)
    assert images.shape == (count, 32, 32, 3)
    picked = sorted({0, count // 2, count - 1})
    for index in picked:
        np.testing.assert_array_equal(
            images[index : index + 1], made.render(batch[index : index + 1], 32)
        )


def test_big_batches_are_drawn_in_chunks(renderer, monkeypatch):
    batch = simple_shapes(1000)
    whole = renderer("fast", grid=(12, 12)).render(batch, 32)
    monkeypatch.setattr(fast_module, "_MAX_ATLAS", 128)
    chunked = renderer("fast", grid=(12, 12)).render(batch, 32)
    np.testing.assert_array_equal(chunked, whole)


def test_the_largest_images_and_the_finest_grid(renderer):
    assert mask(renderer("fast").render(simple_shapes(3), 256)).any(axis=(1, 2)).all()
    assert mask(renderer("fast", grid=(1000, 1000)).render(simple_shapes(2), 32)).any()


@pytest.mark.parametrize("name", ["fast", "solid"])
@pytest.mark.parametrize(
    ("rows", "size"),
    [
        (np.zeros((3, 12)), SIZE),
        (np.zeros(13), SIZE),
        (np.zeros((1, 13), "U1"), SIZE),
        (np.zeros((1, 13)), 4),
        (np.zeros((1, 13)), 100_000),
        (np.zeros((1, 13)), 64.5),
    ],
)
def test_wrong_requests_are_refused_with_a_sentence(renderer, name, rows, size):
    with pytest.raises(BadSettings, match=r"\.$"):
        renderer(name).renderer.render(rows, size)


def test_wrong_renderers_are_refused_with_a_sentence(renderer):
    with pytest.raises(BadSettings, match="no renderer named 'povray'"):
        renderer("povray")
    with pytest.raises(BadSettings, match="from 8 to 1000"):
        renderer("fast", grid=(7, 50))
    with pytest.raises(BadSettings, match="3 samples"):
        renderer("solid", samples=3)
