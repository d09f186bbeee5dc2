# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices targets that no render can be like, because light or camera differ."""

from __future__ import annotations

import logging
from typing import Any

import torch

from .options import RegressionOptions
from .pixel_regression import distances
from .renders import Prediction, Renders

log = logging.getLogger(__name__)

AFTER = 80
"""Renders before which targets may be far from all renders because none is near them yet."""
ROUNDS = 3
"""Rounds running in which they must be."""
PATIENCE = 10
"""The same while they are as far as pictures of other parameters are. One search of 300 stayed in
a wrong place for 17 rounds, and seemed to have closed in for up to 7 of them."""


class Mismatch:
    """Watches how far targets stay from renders, and whether that is for want of searching.

    Renders that are near each other and far from the targets are no evidence by themselves: a
    search gathers in a wrong place as well, before it finds the right one. The yardstick is how far
    renders from all over the box are from the nearest other one. Targets that are much farther lie
    outside all that the renderer shows, and no search helps. Others may be found yet, unless the
    search has closed in: an emulator foresees the pictures near what is believed of the targets,
    and what is not known of their parameters could change a picture only by a part of the distance
    that is left. A search that is caught in a wrong place may seem to have closed in as well; then
    targets are about as far from the renders there as pictures of other parameters are, which takes
    more patience.

    The limits (:class:`.RegressionOptions`) were chosen on 139 runs whose renders can be like the
    targets (91 of the demo, the others rows of ``benchmarks/convergence``) and 20 whose cannot. In
    units of the yardstick, targets were at most 0.91 away in the former, after 80 renders; 1.4 when
    they were shifted by 2 pixels, 2.5 in another light, 2.9 before another background, and 4.4 in
    another exposure.

    Parameters
    ----------
    targets
        ``(N, F)`` boxes.
    options
        Settings.
    """

    def __init__(self, targets: torch.Tensor, options: RegressionOptions):
        self._targets = targets
        self._differ = (targets - targets.mean(0)).pow(2).sum(1).mean()
        self._options = options
        self._yardstick: float | None = None
        self._rounds = 0
        self._needed = ROUNDS

    @property
    def noticed(self) -> bool:
        """Whether no render can be like the targets."""
        return self._rounds >= self._needed

    def watch(
        self, renders: Renders, belief: Prediction, sensitivity: torch.Tensor, explained: float
    ) -> None:
        """Take another reading; the first one is of renders that cover the box.

        Parameters
        ----------
        belief
            What was believed of the targets when an emulator was taught.
        sensitivity
            ``(K, K)``, see :class:`.reader.Reader`, by that emulator.
        explained
            Share of the variance of pictures near the targets that it foresees.
        """
        options = self._options
        if self._yardstick is None:
            self._yardstick = _isolation(renders.boxes)
        found = distances(renders, self._targets)
        away = found.nearest / self._yardstick
        change = (sensitivity * belief.covariance.mean(0)).sum().clamp(min=0.0) * self._differ
        unknown = change.sqrt().item() / max(found.nearest, 1e-9)
        log.info(
            "Targets are %.1f times as far from renders as these from each other, %.2f times as "
            "far as renders from all over the box; the unknown changes pictures by %.2f of that",
            found.ratio,
            away,
            unknown,
        )
        outside = away > options.outside
        closed_in = explained > options.closed_in and unknown < options.unknown
        far = found.ratio > options.mismatch and len(renders) >= AFTER
        self._rounds = self._rounds + 1 if far and (outside or closed_in) else 0
        like_others = options.related < away < options.unrelated
        self._needed = PATIENCE if like_others else ROUNDS

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {"yardstick": self._yardstick, "rounds": self._rounds, "needed": self._needed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self._yardstick = state["yardstick"]
        self._rounds = state["rounds"]
        self._needed = state["needed"]


def _isolation(boxes: torch.Tensor) -> float:
    """Return how far nine of ten of ``(n, F)`` boxes are, at most, from the nearest other."""
    distance = torch.cdist(boxes, boxes).fill_diagonal_(torch.inf)
    return distance.min(1).values.quantile(0.9).clamp(min=1e-9).item()
