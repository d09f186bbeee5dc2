# SPDX-License-Identifier: GPL-3.0-or-later
"""What rows say of a shape, and whether it can be drawn."""

from __future__ import annotations

import numpy as np

from ....gdr_core.supershape.parameters import COUNT
from ....gdr_core.supershape.superformula import profile, surface

LIMIT = 1e4
"""The largest coordinate that is drawn, in metres: a hundred times the reference camera's far
clip. Beyond it single precision no longer places an edge to the pixel."""


def split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what rows ``(N, 13)`` say of the form and of the light.

    Returns
    -------
    parameters
        ``(N, 12)`` float32, in the order of :data:`gdr_core.supershape.parameters.NAMES`.
    lights
        ``(N,)`` uint32, seeds as in :func:`.random_light.studio_of`.
    """
    with np.errstate(over="ignore"):  # What is too large is infinite, and not drawn.
        return rows[:, :COUNT].astype(np.float32), rows[:, COUNT].astype(np.uint32)


def drawable_profiles(
    parameters: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two profile curves of every shape, and which shapes can be drawn.

    Returns
    -------
    longitude, latitude
        ``(N, U, 2)`` and ``(N, V, 2)`` float32 (:func:`.superformula.profile`), zero for
        the shapes that cannot be drawn.
    drawable
        ``(N,)`` bool: its parameters are finite, its coordinates too and at most :data:`LIMIT`.
    """
    longitude, latitude = profile(parameters, shape)
    drawable = _within_limit(parameters, longitude, latitude)
    longitude[~drawable] = 0.0
    latitude[~drawable] = 0.0
    return longitude.astype(np.float32), latitude.astype(np.float32), drawable


def drawable_surface(
    parameters: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of every shape, and which shapes can be drawn.

    Returns
    -------
    points
        ``(N, U, V, 3)`` float32, zero for the shapes that cannot be drawn.
    drawable
        ``(N,)`` bool, as in :func:`drawable_profiles`.
    """
    drawable = _within_limit(parameters, *profile(parameters, shape))
    with np.errstate(over="ignore"):
        points = surface(parameters, shape)
    points[~drawable] = 0.0
    return points, drawable


def _within_limit(
    parameters: np.ndarray, longitude: np.ndarray, latitude: np.ndarray
) -> np.ndarray:
    with np.errstate(all="ignore"):
        r1 = np.abs(longitude).max(axis=(1, 2))
        cross, height = np.abs(latitude).max(axis=1).T
        # NaN compares as false. The products are the coordinates.
        placed = (r1 * cross <= LIMIT) & (height <= LIMIT) & (r1 <= 1e15) & (cross <= 1e15)
    # An infinite exponent may still give finite radii, in numpy if not in the mind.
    return placed & np.isfinite(parameters).all(axis=1)
