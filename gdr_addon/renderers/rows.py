# SPDX-License-Identifier: GPL-3.0-or-later
"""What every renderer asks of rows before it draws them."""

from __future__ import annotations

import numpy as np

from ...gdr_core.errors import BadSettings


def check_rows(rows: np.ndarray, columns: int, size: int) -> np.ndarray:
    """Return ``rows`` as ``(N, columns)`` float64.

    Raises
    ------
    BadSettings
        Another shape, or a size that is no whole number from 8 to 2048.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != columns or rows.dtype.kind not in "fiu":
        raise BadSettings(
            f"Rows for this scene are an array of numbers of shape (N, {columns}), "
            f"not {rows.dtype} {rows.shape}."
        )
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 8 <= size <= 2048:
        raise BadSettings(f"The image size is {size}; give a whole number from 8 to 2048 pixels.")
    return rows.astype(np.float64, copy=False)
