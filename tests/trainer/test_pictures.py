# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import torch
from torch.nn import functional

from trainer.estimators.regression.augmentation import augment, backgrounds, normalise
from trainer.estimators.regression.pictures import COLOUR, features, thumbnails


def blurred(size: int, channels: int) -> np.ndarray:
    """Return 6 smooth pictures ``(6, size, size, channels)`` uint8."""
    noise = torch.rand(6, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(noise, size=(size, size), mode="bilinear")
    return (255 * smooth).permute(0, 2, 3, 1).to(torch.uint8).numpy()


def plain(*colour: int) -> np.ndarray:
    """Return a picture ``(1, 32, 32, 3)`` of one colour."""
    return np.full((1, 32, 32, 3), colour, dtype=np.uint8)


def test_thumbnails_keep_the_colours_and_shrink_large_pictures_only():
    images = blurred(32, 3)
    assert np.array_equal(thumbnails(images).permute(0, 2, 3, 1).numpy(), images)
    large = np.repeat(np.repeat(blurred(64, 3), 2, axis=1), 2, axis=2)
    assert np.array_equal(thumbnails(large).permute(0, 2, 3, 1).numpy(), blurred(64, 3))


def test_the_distance_of_grey_pictures_is_that_of_their_brightness():
    grey = blurred(64, 1)
    rows = features(thumbnails(np.repeat(grey, 3, axis=3)))
    levels = torch.from_numpy(grey).permute(0, 3, 1, 2).double() / 255
    alone = functional.avg_pool2d(levels, 4, stride=2).flatten(1)
    torch.testing.assert_close(torch.cdist(rows, rows), torch.cdist(alone, alone))


def test_a_change_of_hue_has_its_weight():
    grey, brighter = plain(100, 100, 100), plain(120, 120, 120)
    # As far from grey in the mean square over channels, and no brighter.
    step = 20 * 1.5**0.5
    red = plain(round(100 + step), 100, round(100 - step))
    rows = features(thumbnails(np.concatenate((grey, brighter, red))))
    light, hue = (rows[1:] - rows[0]).norm(dim=1).tolist()
    # Averages of colour are a little fewer than a quarter of those of brightness.
    assert 0.85 * COLOUR < hue / light < 1.05 * COLOUR


def test_the_background_is_the_colour_of_the_border():
    images = plain(90, 60, 30)
    images[0, 8:16, 8:16] = (30, 60, 90)
    background = backgrounds(thumbnails(images))
    assert background.shape == (1, 1, 32, 32)
    assert not background[0, 0, 8:16, 8:16].any()
    assert background.sum() == 32 * 32 - 64


def test_red_and_blue_differ_after_any_change_of_camera():
    images = np.concatenate((plain(60, 60, 60), plain(60, 60, 60)))
    images[0, 8:24, 8:24], images[1, 8:24, 8:24] = (160, 40, 40), (40, 40, 160)
    pictures = thumbnails(np.repeat(images, 50, axis=0))
    changed = augment(
        pictures.float() / 255, backgrounds(pictures), torch.Generator().manual_seed(0)
    )
    assert changed.shape == pictures.shape
    normalised = normalise(changed)
    torch.testing.assert_close(normalised.mean((1, 2, 3)), torch.zeros(100), atol=1e-4, rtol=0)
    redder = (normalised[:, 0] - normalised[:, 2])[:, 11:21, 11:21].mean((1, 2))
    assert (redder[:50] > 0).all()
    assert (redder[50:] < 0).all()
