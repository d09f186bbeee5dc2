# SPDX-License-Identifier: GPL-3.0-or-later
"""Which light each proposal of an estimator is rendered in."""

from __future__ import annotations

import numpy as np

from ..estimators import Estimator


def light_seeds(estimator: Estimator, renders: int, count: int) -> np.ndarray | None:
    """Return the seeds ``(count,)`` uint32 of the next renders' lights, None for the scene's own.

    A light's number is that of its render, so that a resumed run goes on with the lights that it
    would have had.

    Parameters
    ----------
    estimator
        What is asked whether it wants random light.
    renders
        Renders that it has been shown so far.
    count
        Renders to come.
    """
    if not estimator.varies_light:
        return None
    return np.arange(renders + 1, renders + 1 + count, dtype=np.uint32)
