# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of pictures."""

from __future__ import annotations

import numpy as np


def gamma(x: np.ndarray, coeff: float = 2.2) -> np.ndarray:
    """Gamma-encode a picture with linear colours, such as Blender's off-screen drawing.

    A value v between 0 and its full scale s becomes ``s * (v / s) ** (1 / coeff)``. For 2.2 that is
    close to the transfer function of sRGB (IEC 61966-2-1). Alpha is not a colour and stays.

    Parameters
    ----------
    x
        ... x H x W x C, with C = 3 (RGB) or 4 (RGBA). uint8 with full scale 255, or floating point
        with full scale 1, in which negative values become 0.
    coeff
        Larger than 0; 1 changes nothing.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape and dtype; uint8 is rounded to nearest.

    Raises
    ------
    TypeError
        For another dtype.
    ValueError
        For another number of channels, or a `coeff` that is not positive.
    """
    if x.ndim < 3 or x.shape[-1] not in (3, 4):
        raise ValueError(f"A picture is H x W x 3 or H x W x 4, not {x.shape}.")
    if not coeff > 0:
        raise ValueError(f"coeff is positive, not {coeff}.")
    if x.dtype == np.uint8:
        encoded = np.rint(255 * (np.arange(256) / 255) ** (1 / coeff)).astype(np.uint8)[x]
    elif np.issubdtype(x.dtype, np.floating):
        encoded = np.maximum(x, 0) ** x.dtype.type(1 / coeff)
    else:
        raise TypeError(f"A picture is of uint8 or floating point, not {x.dtype}.")
    encoded[..., 3:] = x[..., 3:]
    return encoded
