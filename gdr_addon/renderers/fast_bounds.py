# SPDX-License-Identifier: GPL-3.0-or-later
"""What bounds a shape: slabs between two parallel planes, in a few directions."""

from __future__ import annotations

import numpy as np

DIRECTIONS = np.array(
    [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (1, 1, 0),
        (1, -1, 0),
        (1, 0, 1),
        (1, 0, -1),
        (0, 1, 1),
        (0, 1, -1),
        (0, 0, 0),  # So that there are two for each texel.
    ],
    dtype=np.float64,
)
"""The axes, and halfway between two of them: with more, a ray takes longer to test than to walk."""
_MARGIN = 1e-4
"""Of a bound; that rounding cuts nothing off."""


def bounds(around: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return the least and the greatest ``x . n`` of each shape's points, a little widened.

    Parameters
    ----------
    around, along
        ``(N, U, 2)`` and ``(N, V, 2)``: the curves of which the points are the spherical product.

    Returns
    -------
    numpy.ndarray
        ``(N, 10, 2)`` float64, for each ``n`` of :data:`DIRECTIONS`.
    """
    # Of all points at one latitude, the outermost is that of the longitude's outermost point.
    projected = around @ DIRECTIONS[:, :2].T
    reach = np.stack((-projected.min(axis=1), projected.max(axis=1)), axis=-1)
    height = along[:, :, 1, None, None] * DIRECTIONS[:, 2, None] * (-1.0, 1.0)
    outermost = (along[:, :, 0, None, None] * reach[:, None] + height).max(axis=1)
    widened = outermost + _MARGIN * np.abs(outermost)
    return widened * (-1.0, 1.0)
