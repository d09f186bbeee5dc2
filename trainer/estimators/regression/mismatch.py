# SPDX-License-Identifier: GPL-3.0-or-later
"""Detects targets that no render can be like, because light or camera differ."""

from __future__ import annotations

import logging
from typing import Any

import torch

from .options import RegressionOptions
from .pixel_regression import distances
from .renders import Prediction, Renders

log = logging.getLogger(__name__)

MIN_RENDERS = 80
"""With fewer, targets may be far from all renders because the search has not come near yet."""
ROUNDS = 3
"""Rounds in a row that make a mismatch."""
AMBIGUOUS_ROUNDS = 10
"""The same in the ambiguous case. One search of 300 stayed in a wrong place for 17 rounds, and
seemed to have converged there for up to 7 of them."""


class Mismatch:
    """Detector of a mismatch between targets and renders.

    Renders that are near each other and far from the targets are no evidence by themselves: a
    search can gather in a wrong place before it finds the right one. The reference is the distance
    from a render to its nearest neighbour among those that cover the box. There are two cases:

    * The targets are much farther than the reference. They lie outside all that the renderer
      shows, and no search helps.
    * The search has converged at a distance from the targets: the emulator predicts the pictures
      near the targets' parameters, and the posterior uncertainty of these would change a picture
      by only a part of that distance.

    A search in a wrong place may seem to have converged as well. Its targets are then about as far
    from its renders as pictures of different parameters are from each other. That case is
    ambiguous and takes more rounds.

    The limits (:class:`.RegressionOptions`) were chosen on 139 runs without a mismatch (91 of the
    demo, the others rows of ``benchmarks/convergence``) and 20 with one. In units of the reference,
    targets were at most 0.91 away in the former, after 80 renders; 1.4 when they were shifted by 2
    pixels, 2.5 in another light, 2.9 before another background, and 4.4 in another exposure.

    Parameters
    ----------
    targets
        Features ``(N, F)``.
    options
        Settings.
    """

    def __init__(self, targets: torch.Tensor, options: RegressionOptions):
        self._targets = targets
        self._target_variance = (targets - targets.mean(0)).pow(2).sum(1).mean()
        self._options = options
        self._reference: float | None = None
        self._rounds = 0
        self._required_rounds = ROUNDS

    @property
    def detected(self) -> bool:
        """Whether no render can be like the targets."""
        return self._rounds >= self._required_rounds

    def update(
        self, renders: Renders, initial: Prediction, sensitivity: torch.Tensor, explained: float
    ) -> None:
        """Count another round; the renders of the first one must cover the box.

        Parameters
        ----------
        initial
            The prediction with which the emulator was trained.
        sensitivity
            ``(K, K)``, see :class:`.reader.Reader`, of that emulator.
        explained
            Share of the variance of pictures near the targets that the emulator explains.
        """
        options = self._options
        if self._reference is None:
            self._reference = _neighbour_distance(renders.features)
        distance = distances(renders, self._targets)
        relative = distance.nearest / self._reference
        change = (sensitivity * initial.covariance.mean(0)).sum().clamp(min=0.0)
        change = change * self._target_variance
        uncertainty = change.sqrt().item() / max(distance.nearest, 1e-9)
        log.info(
            "Targets are %.1f times as far from renders as these from each other, and %.2f times "
            "as far as renders that cover the box; the uncertainty of their parameters changes a "
            "picture by %.2f of that distance",
            distance.ratio,
            relative,
            uncertainty,
        )
        outside = relative > options.mismatch_outside
        converged = (
            explained > options.mismatch_explained and uncertainty < options.mismatch_uncertainty
        )
        distant = distance.ratio > options.mismatch_ratio and len(renders) >= MIN_RENDERS
        self._rounds = self._rounds + 1 if distant and (outside or converged) else 0
        ambiguous = options.ambiguous_from < relative < options.ambiguous_to
        self._required_rounds = AMBIGUOUS_ROUNDS if ambiguous else ROUNDS

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {
            "reference": self._reference,
            "rounds": self._rounds,
            "required_rounds": self._required_rounds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`."""
        self._reference = state["reference"]
        self._rounds = state["rounds"]
        self._required_rounds = state["required_rounds"]


def _neighbour_distance(features: torch.Tensor) -> float:
    """Return the distance to the nearest neighbour, the 90 % quantile over ``(n, F)``."""
    distance = torch.cdist(features, features).fill_diagonal_(torch.inf)
    return distance.min(1).values.quantile(0.9).clamp(min=1e-9).item()
