# SPDX-License-Identifier: GPL-3.0-or-later
"""How fine the surface of a shape is."""

from __future__ import annotations

from ..errors import BadSettings

MIN_SIDE, MAX_SIDE = 8, 1000


def check_grid(grid: tuple[int, int] | None) -> None:
    """Raise :class:`BadSettings` unless it is None or a grid that can be drawn."""
    if grid is not None and (
        len(grid) != 2 or not all(MIN_SIDE <= side <= MAX_SIDE for side in grid)
    ):
        raise BadSettings(f"The grid must be two whole numbers from {MIN_SIDE} to {MAX_SIDE}.")


def automatic_grid(size: int) -> tuple[int, int]:
    """Return the grid for images of ``size`` pixels where nobody says: 100 x 100 at 64 pixels.

    With it, images of the shapes that the reference's experiment looks for differ from those of a
    far finer grid by under one level of 255 on average (``benchmarks/rendering/grids.py``). That
    takes about 90 points a side whatever the size: what a coarse grid gets wrong is the shading of
    a lobe that has too few points, as wrong in a small image as in a large one. A large image shows
    the straight edges of the outline too, and costs more for its pixels than for its points, so it
    gets some more.
    """
    side = min(84 + size // 4, MAX_SIDE)
    return side, side
