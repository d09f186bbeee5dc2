# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences about what the renders do not match, and the numbers in them."""

import numpy as np
import pytest
from rendered import changed, rendered

from trainer.evaluation import differences
from trainer.evaluation.differences import describe, measure


def discs(
    count=8, size=64, radius=16.0, centre=(0.0, 0.0), background=(61, 61, 61), level=150, blur=0.0
):
    """Return ``(count, size, size, 3)`` uint8 images of a disc with little noise."""
    across = np.arange(size) - (size - 1) / 2
    distance = np.hypot(across[None] - centre[0], across[:, None] - centre[1])
    share = np.clip((radius - distance) / max(blur, 1.0) + 0.5, 0.0, 1.0)[..., None]
    image = share * np.array(level) + (1.0 - share) * np.array(background)
    noise = np.random.default_rng(0).normal(0.0, 0.3, (count, size, size, 3))
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("size", [64, 256])
def test_what_is_measured_is_what_is_there(size):
    part = size / 64
    images = discs(
        size=size, radius=16 * part, centre=(5 * part, -3 * part), background=(61, 80, 99)
    )
    mean = dict(zip(differences._STATISTICS, measure(images).mean(0), strict=True))
    assert [mean[name] for name in ("red", "green", "blue")] == pytest.approx([61, 80, 99], abs=0.5)
    assert (mean["right"], mean["down"]) == pytest.approx((5 * part, -3 * part), abs=0.1 * part)
    assert mean["area"] == pytest.approx(np.pi * 16**2 / 64**2, rel=0.2)
    assert (mean["brightness"], mean["contrast"]) == pytest.approx((150, 0), abs=0.5)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 10.0])
def test_noise_is_measured_in_levels(sigma):
    noise = np.random.default_rng(1).normal(0.0, sigma, (8, 64, 64, 3))
    images = np.clip(discs() + noise, 0, 255).round().astype(np.uint8)
    noise_level = measure(images)[:, differences._STATISTICS.index("noise")]
    # Rounding adds a twelfth to the variance, twice.
    assert noise_level.mean() == pytest.approx(np.sqrt(sigma**2 + 0.09 + 2 / 12), rel=0.1)


@pytest.mark.parametrize(
    ("targets", "sentences"),
    [
        ({}, []),
        (
            {"background": (120, 120, 120)},
            ["The targets' background is brighter: 120 against 61 of 255."],
        ),
        (
            {"background": (61, 61, 90)},
            [
                "The targets' background has another colour: red, green, blue 61, 61, 90 "
                "against 61, 61, 61 of 255."
            ],
        ),
        ({"level": 120}, ["The targets' object is darker: 120 against 150 of 255 on average."]),
        (
            {"background": (66, 61, 56)},
            [
                "The targets' background has another colour: red, green, blue 66, 61, 56 "
                "against 61, 61, 61 of 255."
            ],
        ),
        (
            {"level": (180, 140, 130)},
            [
                "The targets' object is redder: red, green, blue 180, 140, 130 "
                "against 150, 150, 150 of 255."
            ],
        ),
        (
            {"level": (157, 136, 157)},
            [
                "The targets' object is less green: red, green, blue 157, 136, 157 "
                "against 150, 150, 150 of 255."
            ],
        ),
        (
            {"centre": (4.0, -2.0)},
            ["The targets' object is 4.0 pixels further to the right and 2.0 pixels further up."],
        ),
        (
            {"radius": 12.0},
            ["The targets' object is smaller: it covers 13 % of the picture against 23 %."],
        ),
        (
            {"blur": 2.0},
            ["The targets are less sharp: their edges are 2.2 pixels wide against 1.3."],
        ),
    ],
)
def test_each_difference_has_its_sentence(targets, sentences):
    assert describe(discs(**targets), discs()) == tuple(sentences)


def test_brightness_alone_is_no_colour():
    coloured = discs(level=(200, 120, 60))
    (sentence,) = describe(changed_object(coloured, 0.9), coloured)
    assert sentence == "The targets' object is darker: 114 against 127 of 255 on average."


def changed_object(images, factor):
    """Return the images with another light on what is brighter than the background."""
    bright = images.max(3, keepdims=True) > 100
    return np.where(bright, images * factor, images).round().astype(np.uint8)


def of_texture(palette, count=8):
    """Return ``(count, 64, 64, 3)`` uint8 images of a square, its pixels from the palette."""
    images = discs(count, radius=0.0)
    drawn = np.random.default_rng(0).integers(0, len(palette), (count, 40, 40))
    images[:, 12:52, 12:52] = np.array(palette, np.uint8)[drawn]
    return images


RED, BLUE = (140, 60, 60), (60, 60, 140)


def test_a_fine_texture_of_colours_is_described():
    # All are equally bright in every pixel.
    (sentence, *_) = describe(of_texture((RED,)), of_texture((BLUE,)))
    assert sentence == (
        "The targets' object is redder: red, green, blue 140, 60, 60 against 60, 60, 140 of 255."
    )
    (sentence, *_) = describe(of_texture((RED, BLUE)), of_texture(((100, 60, 100),)))
    assert sentence == (
        "The targets' object has more contrast: its levels spread by 33 against 0 of 255."
    )
    (sentence, *_) = describe(of_texture((RED, BLUE)), of_texture(((140, 20, 100), (60, 100, 100))))
    assert sentence == (
        "The targets' object varies in other colours: its red, green, blue spread by 40, 0, 40 "
        "against 40, 40, 0 of 255."
    )


@pytest.mark.parametrize(
    "colours", [{}, {"level": RED, "background": BLUE}], ids=["grey", "equally bright"]
)
def test_the_width_of_an_edge_is_in_pixels(colours):
    widths = [
        measure(discs(blur=blur, **colours))[:, differences._STATISTICS.index("edge")].mean()
        for blur in (2.0, 3.0, 4.0, 6.0)
    ]
    assert widths == pytest.approx([2.0, 3.0, 4.0, 6.0], rel=0.12)


def test_the_right_distribution_has_no_differences():
    right = rendered("right")
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(len(right))
        assert describe(right[order[:64]], right[order[64:128]]) == ()
        assert describe(right[order[:4]], right[order[64:68]]) == ()


@pytest.mark.parametrize("name", ["mean off", "too wide"])
def test_other_shapes_are_no_other_light(name):
    assert describe(rendered("right")[:64], rendered(name)[:64]) == ()


@pytest.mark.parametrize(("how", "count"), [("light", 3), ("noise", 1)])
def test_other_light_and_noise_are_described(how, count):
    right = rendered("right")
    sentences = describe(changed(right[:64], how), right[64:128])
    assert len(sentences) == count
    word = {"light": "background is brighter: 67 against 61", "noise": "noisier"}[how]
    assert word in sentences[0]


def test_pictures_without_an_object_do_no_harm():
    empty = np.full((8, 32, 32, 3), 61, np.uint8)
    assert describe(empty, empty) == ()
    assert np.isnan(measure(empty)[:, differences._STATISTICS.index("brightness")]).all()
    (sentence, *_) = describe(np.full((8, 32, 32, 3), 200, np.uint8), empty)
    assert sentence == "The targets' background is brighter: 200 against 61 of 255."


def test_three_images_are_too_few():
    with pytest.raises(ValueError, match="4 images"):
        describe(discs(3), discs(8))
