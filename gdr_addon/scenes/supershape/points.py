# SPDX-License-Identifier: GPL-3.0-or-later
"""What renderers ask of a batch before they draw it."""

from __future__ import annotations

import numpy as np

from ....gdr_core.errors import BadSettings
from ....gdr_core.supershape.parameters import COUNT
from ....gdr_core.supershape.superformula import profile, surface

LIMIT = 1e4
"""The largest coordinate that is drawn, in metres: a hundred times the reference camera's far
clip. Beyond it single precision no longer places an edge to the pixel."""


def check_batch(parameters: np.ndarray, size: int) -> np.ndarray:
    """Return ``parameters`` as ``(N, 12)`` float32.

    Raises
    ------
    BadSettings
        Another shape, or a size that is no whole number from 8 to 2048.
    """
    parameters = np.asarray(parameters)
    if parameters.ndim != 2 or parameters.shape[1] != COUNT or parameters.dtype.kind not in "fiu":
        raise BadSettings(
            f"A batch of parameters is an array of numbers of shape (N, {COUNT}), "
            f"not {parameters.dtype} {parameters.shape}."
        )
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 8 <= size <= 2048:
        raise BadSettings(f"The image size is {size}; give a whole number from 8 to 2048 pixels.")
    return parameters.astype(np.float32, copy=False)


def check_lights(lights: np.ndarray | None, count: int) -> np.ndarray:
    """Return ``lights`` as ``(count,)`` uint32, zeros where they are None or empty.

    Raises
    ------
    BadSettings
        Another type, or another number of them.
    """
    if lights is None:
        return np.zeros(count, dtype=np.uint32)
    lights = np.asarray(lights)
    if lights.dtype != np.uint32 or lights.shape not in ((0,), (count,)):
        raise BadSettings(
            f"The lights of {count} shapes are an array of uint32 of shape ({count},), or an "
            f"empty one, not {lights.dtype} {lights.shape}."
        )
    return lights if len(lights) else np.zeros(count, dtype=np.uint32)


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
