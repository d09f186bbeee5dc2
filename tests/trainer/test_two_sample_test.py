# SPDX-License-Identifier: GPL-3.0-or-later
"""The classifier two-sample test on real renders: its level, its power, and its arithmetic."""

import math

import numpy as np
import pytest
import torch
from rendered import changed, rendered
from torch.nn import functional

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


def of_colours(palette, upright, count=24, size=64, seed=0):
    """Return ``(count, size, size, 3)`` uint8 images of stripes in colours of the palette."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(palette), (count, size))
    picked = np.array(palette, np.uint8)[drawn][:, None].repeat(size, 1)
    return picked if upright else picked.transpose(0, 2, 1, 3)


RED_AND_BLUE = ((140, 60, 60), (60, 60, 140))


@pytest.mark.parametrize(
    ("targets", "renders"),
    [
        # All are equally bright in every pixel, and the last two have the same red, green and blue.
        ((RED_AND_BLUE[:1], True), (RED_AND_BLUE[1:], True)),
        ((RED_AND_BLUE, True), (RED_AND_BLUE, False)),
        (
            (((140, 80, 20), (20, 140, 80), (80, 20, 140)), True),
            (((140, 20, 80), (80, 140, 20), (20, 80, 140)), True),
        ),
    ],
    ids=["red or blue", "direction of red and blue stripes", "hues of equal red, green and blue"],
)
def test_images_that_differ_in_hue_alone_are_distinguished(targets, renders):
    result = compare(
        of_colours(*targets), of_colours(*renders, seed=1), torch.Generator().manual_seed(0)
    )
    assert result.accuracy > 0.98
    assert result.p_value == 0.001


def test_few_images_give_a_wide_interval():
    right = rendered("right")
    for count, width in ((8, 0.3), (4, 0.4)):
        found = compare(right[:count], right[320 : 320 + count], torch.Generator().manual_seed(0))
        assert found.high - found.low > width
        assert 0.0 <= found.low <= found.accuracy <= found.high <= 1.0
    with pytest.raises(ValueError, match="needs 4 images"):
        compare(right[:3], right[:64])


def of_colour(*levels, count=16, size=32):
    """Return ``(count, size, size, 3)`` uint8 images of one colour."""
    return np.full((count, size, size, 3), levels, np.uint8)


def random_images(count, size=32, seed=0):
    """Return ``(count, size, size, 3)`` uint8 images of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


SAME_IMAGES = {
    "black": of_colour(0),
    "grey": of_colour(99),
    "white": of_colour(255),
    "one colour": of_colour(201, 13, 77),
    "large": of_colour(201, 13, 77, size=96),
    "one of two": np.repeat(random_images(2), 8, 0),
    "one of two a level apart": np.repeat([of_colour(99)[0], of_colour(99, 100, 99)[0]], 8, 0),
    "all different": random_images(16),
}


@pytest.fixture(params=["exact", "another processor", "two threads", "small chunks"])
def rounding(request, monkeypatch):
    """Compute as processors do that add in another order."""
    if request.param == "another processor":
        pool, generator = functional.adaptive_avg_pool2d, torch.Generator().manual_seed(0)

        def pool_with_noise(pixels, size):
            means = pool(pixels, size)
            return means * (1.0 + 3e-7 * torch.randn(means.shape, generator=generator))

        monkeypatch.setattr(functional, "adaptive_avg_pool2d", pool_with_noise)
    elif request.param == "small chunks":
        monkeypatch.setattr(two_sample_test, "_CHUNK_VALUES", 3 * 5 * 32**2)
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if request.param == "two threads" else 1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", SAME_IMAGES)
def test_the_same_images_are_indistinguishable(name, rounding):
    images = SAME_IMAGES[name]
    order = np.random.default_rng(1).permutation(len(images))
    result = compare(images, images[order], torch.Generator().manual_seed(0))
    assert result.accuracy == 0.5
    assert result.low < 0.4 < 0.6 < result.high
    assert result.p_value > 0.5


@pytest.mark.parametrize("size", [32, 96])
def test_rounding_in_the_last_bit_is_no_variation(size, rounding):
    kernel = two_sample_test._kernel(of_colour(201, 13, 77, size=size))
    assert (kernel - kernel.mean()).abs().max() < 1e-5


def test_the_least_difference_that_pictures_can_have_is_more_than_rounding():
    images = of_colour(99, 99, 99, count=32, size=64)
    images[16:, 20, 20, 0] += 1
    assert compare(images[:16], images[16:]).accuracy == 1.0


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


def test_correlated_judgements_count_for_less():
    alone = torch.distributions.Binomial(128, torch.tensor(0.5)).sample((4000,)).double() / 128
    assert two_sample_test._effective_count(alone, 1000) == pytest.approx(128, rel=0.1)
    assert two_sample_test._effective_count(alone, 100) == 100
    together = 0.5 + math.sqrt(2) * (alone - 0.5)
    assert two_sample_test._effective_count(together, 1000) == pytest.approx(64, rel=0.1)
