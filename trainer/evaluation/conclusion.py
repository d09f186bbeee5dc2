# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a run's result is: compared with the targets, and by the estimator's own account."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np
import torch
from msgspec.structs import replace

from gdr_core.messages import Conclusion, Indistinguishability

from ..estimators import Estimator
from ..estimators.probability_model import ProbabilityModel
from . import differences, two_sample_test

log = logging.getLogger(__name__)

_ANALYSIS_S = 5e-7
"""Seconds that the analysis of a pixel takes on a slow computer."""


def of_estimator(estimator: Estimator) -> Conclusion:
    """Return what the estimator itself says about its result."""
    known = estimator.uncertainty()
    if known is None:
        return Conclusion()
    names = estimator.model.names
    return Conclusion(
        mean_error=_finite(names, known.mean),
        std_error=_finite(names, known.std),
        undetermined=tuple(name for name in names if name in known.undetermined),
        trade_offs=known.trade_offs,
    )


def fresh_renders(targets: int) -> int:
    """Return how many renders a comparison with so many targets takes."""
    return min(targets, two_sample_test.MAX_COUNT)


def expected_seconds(targets: np.ndarray, seconds_per_render: float) -> float:
    """Return about how long a comparison with the targets ``(N, S, S, 3)`` takes."""
    count = fresh_renders(len(targets))
    return count * seconds_per_render + 2 * count * targets.shape[1] ** 2 * _ANALYSIS_S


def compared(
    conclusion: Conclusion,
    targets: np.ndarray,
    model: ProbabilityModel,
    render: Callable[[np.ndarray], np.ndarray | None],
    generator: torch.Generator,
) -> Conclusion:
    """Return the conclusion with a comparison of the targets and fresh renders of the model.

    Parameters
    ----------
    targets
        ``(N, S, S, 3)`` uint8.
    render
        Parameters ``(M, K)`` in internal units to ``(M, S, S, 3)`` uint8 images, None where they
        are too large to render; called once.
    generator
        Source of the samples and of the comparison's own chance.
    """
    renders = render(model.sample(fresh_renders(len(targets)), generator).numpy())
    if renders is None:
        return replace(
            conclusion,
            not_compared="The result was not compared with the targets: it reaches numbers that "
            "are too large to render.",
        )
    if len(targets) < two_sample_test.MIN_COUNT:
        return replace(
            conclusion,
            not_compared=f"The result was not compared with the targets: that takes at least "
            f"{two_sample_test.MIN_COUNT} of them.",
        )
    found = two_sample_test.compare(targets, renders, generator)
    log.info("Classifier two-sample test: %s", found)
    return replace(
        conclusion,
        indistinguishability=Indistinguishability(
            accuracy=found.accuracy,
            low=found.low,
            high=found.high,
            p_value=found.p_value,
            count=found.count,
            renders=len(renders),
        ),
        differences=differences.describe(targets, renders),
    )


def _finite(names: tuple[str, ...], errors: tuple[float, ...]) -> dict[str, float]:
    """Return the errors that are numbers, by name."""
    known = zip(names, errors, strict=True)
    return {name: float(error) for name, error in known if math.isfinite(error) and error >= 0}
