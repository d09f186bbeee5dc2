# SPDX-License-Identifier: GPL-3.0-or-later
"""What bounds a shape: slabs between two parallel planes, in nine directions.

The axes, and halfway between two of them. With more, a ray takes longer to test than to walk.
"""

from __future__ import annotations

import numpy as np

_MARGIN = 1e-4
"""Of a bound; that rounding cuts nothing off."""


def bounds(around: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the least and the greatest of a few sums of each shape's coordinates, widened a bit.

    Parameters
    ----------
    around, along
        ``(N, U, 2)`` and ``(N, V, 2)``: the curves of which the points are the spherical product.

    Returns
    -------
    numpy.ndarray
        ``(N, 10, 2)`` float64, of x, y, z, x + y, x - y, x + z, x - z, y + z, y - z, and a zero,
        which makes them even.
    """
    x, y = around[..., 0], around[..., 1]
    width, height = along[..., 0], along[..., 1]
    # How far points reach out in x, y, x + y and x - y and against them, where the width is 1.
    sums = np.stack((x, y, x + y, x - y), axis=1)
    reach = np.stack((-sums.min(axis=2), sums.max(axis=2)), axis=2)
    level = reach * width.max(axis=1)[:, None, None]
    # Of the points at one height the outermost is that of the longitude's outermost point.
    both = np.stack((-height, height), axis=1)[:, None, None]
    slanted = (reach[:, :2, :, None, None] * width[:, None, None, None] + both).max(axis=4)

    out = np.zeros((len(around), 10, 2))
    out[:, [0, 1, 3, 4]] = level
    out[:, 2] = both[:, 0, 0].max(axis=2)
    out[:, [5, 7], 0], out[:, [5, 7], 1] = slanted[:, :, 0, 0], slanted[:, :, 1, 1]
    out[:, [6, 8], 0], out[:, [6, 8], 1] = slanted[:, :, 0, 1], slanted[:, :, 1, 0]
    return (out + _MARGIN * np.abs(out)) * (-1.0, 1.0)
