# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the benchmark of the closing comparison; its level has tests of its own."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import two_sample_test as benchmark


def test_the_distance_from_uniform_p_values():
    even = (np.arange(100) + 0.5) / 100
    assert benchmark.distance_from_uniform(even) == pytest.approx((0.005, 0.005))
    # All at one is as conservative as can be, all at a tenth the contrary.
    assert benchmark.distance_from_uniform(np.ones(10)) == pytest.approx((1.0, 0.0))
    assert benchmark.distance_from_uniform(np.full(10, 0.1)) == pytest.approx((0.9, 0.9))


def test_there_are_as_many_splits_as_asked_for():
    noise = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)
    tests = list(benchmark.splits(noise, 8, 2 * benchmark.SETS))
    assert len(tests) == 2 * benchmark.SETS
    assert {test.count for test in tests} == {8}
    assert len({test.p_value for test in tests}) > benchmark.SETS / 2


def test_a_rotated_hue_leaves_the_brightness():
    images = np.random.default_rng(0).integers(60, 196, (4, 16, 16, 3), dtype=np.uint8)
    rotated = benchmark._with_other_hue(images, 3.0)
    change = rotated.astype(int) - images
    assert np.abs(change.sum(3)).max() <= 1.5
    assert np.abs(change).max() > 2
    # A third of the circle takes red to green.
    (colour,) = benchmark._with_other_hue(np.array([[200, 20, 20]], np.uint8), 120.0)
    assert colour.tolist() == [20, 200, 20]
