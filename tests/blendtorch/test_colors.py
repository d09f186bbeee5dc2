# SPDX-License-Identifier: GPL-3.0-or-later
"""Gamma on values that are known."""

import numpy as np
import pytest

from blendtorch import btt


def test_known_values():
    # 0.5 ** (1 / 2.2) = 0.7297..., and with 2 the square root.
    x = np.full((2, 3, 3), 0.5)
    np.testing.assert_allclose(btt.colors.gamma(x), 0.72974005, rtol=1e-7)
    np.testing.assert_allclose(btt.colors.gamma(np.full((1, 1, 3), 0.25), coeff=2), 0.5)
    bytes_ = np.array([0, 1, 16, 64, 128, 254, 255], np.uint8).reshape(1, 7, 1).repeat(3, 2)
    expected = [0, 21, 72, 136, 186, 255, 255]  # 255 * (v / 255) ** (1 / 2.2), rounded by hand
    for channel in np.moveaxis(btt.colors.gamma(bytes_)[0], 1, 0):
        assert channel.tolist() == expected


def test_it_is_close_to_srgb():
    linear = np.linspace(0.01, 1, 100)
    srgb = 1.055 * linear ** (1 / 2.4) - 0.055
    encoded = btt.colors.gamma(linear[:, None, None] * np.ones(3))
    assert np.abs(encoded[..., 0, 0] - srgb).max() < 0.035


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_dtype_and_alpha_stay_and_the_argument_too(dtype):
    x = np.full((2, 4, 5, 4), 64 if dtype == np.uint8 else 0.25, dtype)
    before = x.copy()
    y = btt.colors.gamma(x)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    assert (y[..., :3] > x[..., :3]).all()
    np.testing.assert_array_equal(y[..., 3], x[..., 3])
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(btt.colors.gamma(x, coeff=1.0), x)


@pytest.mark.parametrize(
    ("x", "coeff", "error"),
    [
        (np.zeros((2, 2)), 2.2, ValueError),
        (np.zeros((2, 2, 1)), 2.2, ValueError),
        (np.zeros((2, 2, 3)), 0.0, ValueError),
        (np.zeros((2, 2, 3), np.int32), 2.2, TypeError),
    ],
)
def test_what_is_no_picture(x, coeff, error):
    with pytest.raises(error, match="not"):
        btt.colors.gamma(x, coeff)
