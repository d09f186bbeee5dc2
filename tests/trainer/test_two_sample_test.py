# SPDX-License-Identifier: GPL-3.0-or-later
"""The classifier two-sample test on real renders: its level, its power, and its arithmetic."""

import math

import numpy as np
import pytest
import torch
from rendered import changed, rendered
from torch.nn import functional

from trainer.evaluation import two_sample_test
from trainer.evaluation.two_sample_test import compare, compare_pairs, wilson


def repeat(targets, renders, count, times):
    """Compare random parts of two sets; the same seeds each time."""
    results = []
    for seed in range(times):
        order = np.random.default_rng(seed)
        ours = targets[order.permutation(len(targets))[:count]]
        theirs = renders[order.permutation(len(renders))[:count]]
        results.append(compare(ours, theirs, torch.Generator().manual_seed(seed)))
    return results


def of_colour(*levels, count=16, size=32):
    """Return ``(count, size, size, 3)`` uint8 images of one colour."""
    return np.full((count, size, size, 3), levels, np.uint8)


def random_images(count, size=32, seed=0):
    """Return ``(count, size, size, 3)`` uint8 images of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def one_of_two(count, size=32):
    """Return ``(count, size, size, 3)`` uint8 images of one of two greys, a level apart."""
    levels = np.random.default_rng(0).integers(99, 101, (count, 1, 1, 1), dtype=np.uint8)
    return levels.repeat(size, 1).repeat(size, 2).repeat(3, 3)


SPLITS = 400
POOLS = {
    "renders": lambda: rendered("right"),
    "noise": lambda: random_images(200),
    "greys a level apart": lambda: one_of_two(200),
    "one grey": lambda: of_colour(99, count=200),
}


@pytest.mark.slow
@pytest.mark.parametrize("count", [8, 24])
@pytest.mark.parametrize("kind", POOLS)
def test_p_values_and_intervals_hold_on_splits_of_one_set(kind, count):
    tests = []
    for k in range(10):
        rng = np.random.default_rng(k)
        images = rng.permutation(POOLS[kind]())[: 2 * count]
        # The kernel does not depend on the split.
        kernel, equal = two_sample_test._kernel(images), two_sample_test._equal(images)
        for seed in range(SPLITS // 10):
            order = torch.from_numpy(rng.permutation(2 * count))
            generator = torch.Generator().manual_seed(1000 * k + seed)
            tests.append(compare_pairs(kernel[order][:, order], equal[order], generator))
    continuous = kind in ("renders", "noise")
    for level in (0.05, 0.1, 0.5):
        share = np.mean([test.p_value <= level for test in tests])
        # Four standard deviations of a binomial share; discrete statistics are conservative.
        tolerance = 4 * math.sqrt(level * (1 - level) / SPLITS)
        assert share <= level + tolerance
        assert share >= level - tolerance or not continuous
    holds = np.mean([test.low <= 0.5 <= test.high for test in tests])
    tolerance = 4 * math.sqrt(0.95 * 0.05 / SPLITS)
    assert 0.95 - tolerance <= holds <= (0.95 + tolerance if continuous else 1.0)
    if continuous:
        # The accuracy of half as many independent judgements has this standard error.
        error = 0.5 / math.sqrt(count * SPLITS)
        assert np.mean([test.accuracy for test in tests]) == pytest.approx(0.5, abs=4 * error)


def test_a_comparison_is_that_of_its_kernel():
    images = random_images(30)
    generator = torch.Generator().manual_seed(5)
    drawn = [kind[torch.randperm(15, generator=generator).numpy()] for kind in np.split(images, 2)]
    joined = np.concatenate(drawn)
    kernel, equal = two_sample_test._kernel(joined), two_sample_test._equal(joined)
    result = compare_pairs(kernel, equal, generator)
    assert result == compare(images[:15], images[15:], torch.Generator().manual_seed(5))
    assert result.count == 15


@pytest.mark.parametrize(("name", "accuracy"), [("mean off", 0.66), ("too wide", 0.71)])
def test_a_wrong_distribution_is_detected(name, accuracy):
    results = repeat(rendered("right"), rendered(name), 64, 5)
    assert sum(test.p_value <= 0.05 for test in results) >= 4
    assert np.mean([test.accuracy for test in results]) == pytest.approx(accuracy, abs=0.06)
    assert np.mean([test.low <= accuracy <= test.high for test in results]) >= 0.8


@pytest.mark.parametrize("how", ["light", "noise"])
def test_other_light_and_noise_are_detected_every_time(how):
    right = rendered("right")
    (result,) = repeat(right[:320], changed(right[320:], how), 64, 1)
    assert result.accuracy > 0.98
    assert (result.low > 0.85, result.p_value) == (True, 0.001)


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
        result = compare(right[:count], right[320 : 320 + count], torch.Generator().manual_seed(0))
        assert result.high - result.low > width
        assert 0.0 <= result.low <= result.accuracy <= result.high <= 1.0
    with pytest.raises(ValueError, match="needs 4 images"):
        compare(right[:3], right[:64])


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


def test_judgements_of_the_size_of_rounding_are_ties():
    labels = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
    rounding = 1e-7 * labels
    accuracy, statistic = two_sample_test._score(rounding, labels)
    assert (accuracy.item(), statistic.item()) == (0.5, 0.0)
    accuracy, statistic = two_sample_test._score(rounding + 0.2 * labels, labels)
    assert (accuracy.item(), statistic.item()) == (1.0, pytest.approx(1.0))


def test_the_least_difference_that_pictures_can_have_is_more_than_rounding():
    images = of_colour(99, 99, 99, count=32, size=64)
    images[16:, 20, 20, 0] += 1
    assert compare(images[:16], images[16:]).accuracy == 1.0


@pytest.mark.parametrize("size", [32, 48, 256])
def test_any_size_will_do(size):
    images = np.random.default_rng(0).integers(0, 256, (12, size, size, 3), dtype=np.uint8)
    result = compare(images, images // 2)
    assert result.accuracy == 1.0


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
    judgements = two_sample_test._judge_pairs(kernel, labels)
    for pair in range(n):
        others = [k for k in range(2 * n) if k % n != pair]
        learnt = kernel[others][:, others] + two_sample_test._RIDGE * torch.eye(2 * n - 2).double()
        weights = torch.linalg.solve(learnt, labels[others])
        for image in (pair, n + pair):
            torch.testing.assert_close(judgements[image], kernel[image, others] @ weights)


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
