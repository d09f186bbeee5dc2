# SPDX-License-Identifier: GPL-3.0-or-later
"""The classifier two-sample test on real renders: its level, its power, and its arithmetic."""

import math

import numpy as np
import pytest
import torch
from rendered import changed, rendered

from trainer.evaluation import two_sample_test
from trainer.evaluation.two_sample_test import compare, wilson


def repeat(targets, renders, count, times):
    """Compare random parts of two sets; the same seeds each time."""
    found = []
    for seed in range(times):
        order = np.random.default_rng(seed)
        ours = targets[order.permutation(len(targets))[:count]]
        theirs = renders[order.permutation(len(renders))[:count]]
        found.append(compare(ours, theirs, torch.Generator().manual_seed(seed)))
    return found


def test_the_same_distribution_is_chance():
    right, found = rendered("right"), []
    for seed in range(30):
        images = right[np.random.default_rng(seed).permutation(len(right))[:64]]
        found.append(compare(images[:32], images[32:], torch.Generator().manual_seed(seed)))
    # Binomial: with 5 % for each, there are more than four of thirty once in sixty times.
    assert sum(test.p_value <= 0.05 for test in found) <= 4
    assert sum(test.low <= 0.5 <= test.high for test in found) >= 26
    assert np.mean([test.accuracy for test in found]) == pytest.approx(0.5, abs=0.05)
    assert all(test.count == 32 for test in found)


@pytest.mark.parametrize(("name", "accuracy"), [("mean off", 0.66), ("too wide", 0.71)])
def test_a_wrong_distribution_is_found(name, accuracy):
    found = repeat(rendered("right"), rendered(name), 64, 5)
    assert sum(test.p_value <= 0.05 for test in found) >= 4
    assert np.mean([test.accuracy for test in found]) == pytest.approx(accuracy, abs=0.06)
    assert np.mean([test.low <= accuracy <= test.high for test in found]) >= 0.8


@pytest.mark.parametrize("how", ["light", "noise"])
def test_other_pictures_are_told_every_time(how):
    right = rendered("right")
    (found,) = repeat(right[:320], changed(right[320:], how), 64, 1)
    assert found.accuracy > 0.98
    assert (found.low > 0.85, found.p_value) == (True, 0.001)


def test_few_images_give_a_wide_interval():
    right = rendered("right")
    for count, width in ((8, 0.3), (4, 0.4)):
        found = compare(right[:count], right[320 : 320 + count], torch.Generator().manual_seed(0))
        assert found.high - found.low > width
        assert 0.0 <= found.low <= found.accuracy <= found.high <= 1.0
    with pytest.raises(ValueError, match="needs 4 images"):
        compare(right[:3], right[:64])


def test_equal_images_cannot_be_told():
    flat = np.full((16, 32, 32, 3), 99, np.uint8)
    found = compare(flat, flat)
    assert found.accuracy == pytest.approx(0.5, abs=0.01)
    assert found.p_value == 1.0


@pytest.mark.parametrize("size", [32, 48, 256])
def test_any_size_will_do(size):
    images = np.random.default_rng(0).integers(0, 256, (12, size, size, 3), dtype=np.uint8)
    found = compare(images, images // 2)
    assert found.accuracy == 1.0


def test_no_more_images_are_used_than_are_worth_it():
    images = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 3), dtype=np.uint8)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    one, same, other = (compare(images, images[:280], generator) for generator in generators)
    assert one.count == 256
    assert one == same != other


def test_each_pair_is_judged_by_a_classifier_that_never_saw_it():
    generator = torch.Generator().manual_seed(0)
    n, points = 9, torch.randn(18, 5, generator=generator, dtype=torch.float64)
    kernel = torch.exp(-torch.cdist(points, points).square() / 5)
    labels = torch.cat((torch.ones(n, 1), -torch.ones(n, 1))).double()
    found = two_sample_test._judge_pairs(kernel, labels)
    for pair in range(n):
        others = [k for k in range(2 * n) if k % n != pair]
        learnt = kernel[others][:, others] + two_sample_test._RIDGE * torch.eye(2 * n - 2).double()
        weights = torch.linalg.solve(learnt, labels[others])
        for image in (pair, n + pair):
            torch.testing.assert_close(found[image], kernel[image, others] @ weights)


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0 / 20, 20, 0.0, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
        (20 / 20, 20, 0.8389, 1.0),
    ],
)
def test_the_interval_is_wilsons(share, count, low, high):
    assert wilson(share, count) == pytest.approx((low, high), abs=5e-5)


def test_judgements_that_hang_together_count_for_less():
    alone = torch.distributions.Binomial(128, torch.tensor(0.5)).sample((4000,)).double() / 128
    assert two_sample_test._independent(alone, 1000) == pytest.approx(128, rel=0.1)
    assert two_sample_test._independent(alone, 100) == 100
    together = 0.5 + math.sqrt(2) * (alone - 0.5)
    assert two_sample_test._independent(together, 1000) == pytest.approx(64, rel=0.1)
