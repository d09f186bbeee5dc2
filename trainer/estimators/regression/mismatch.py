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


class Mismatch:
    """Watches how far targets stay from renders, and whether that is for want of searching.

    Renders that are near each other and far from the targets are no evidence by themselves: a
    search gathers in a wrong place as well, before it finds the right one. They are evidence where
    the search has closed in: an emulator foresees the pictures near what is believed of the
    targets, and what is not known of their parameters could change a picture only by a small part
    of the distance that is left. And they are where targets lie outside all that the renderer
    shows, farther from every render than renders from all over the box are from each other.

    The limits (:class:`.RegressionOptions`) were chosen on 139 runs whose renders can be like the
    targets (91 of the demo, the others rows of ``benchmarks/convergence``) and 20 whose cannot.
    Where the ratio of distances was above its limit, an emulator foresaw at most 0.77 in the
    former, in which the unknown could change pictures by 0.76 and more of the distance; in the
    latter 0.98 and more, and by 0.4 and less, or they were outside. Targets were at most 0.64 times
    as far as renders from all over the box in the former; 1.0 times when they were shifted by 2
    pixels, 1.7 in another light, 2.0 before another background, and 3.0 in another exposure.

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
        self._scatter: float | None = None
        self._rounds = 0

    @property
    def noticed(self) -> bool:
        """Whether no render can be like the targets."""
        return self._rounds >= ROUNDS

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
        if self._scatter is None:
            self._scatter = torch.pdist(renders.boxes).median().clamp(min=1e-9).item()
        found = distances(renders, self._targets)
        change = (sensitivity * belief.covariance.mean(0)).sum().clamp(min=0.0) * self._differ
        unknown = change.sqrt().item() / max(found.nearest, 1e-9)
        outside = found.nearest / self._scatter
        log.info(
            "Targets are %.1f times as far from renders as these from each other, %.2f times as "
            "far as renders from all over the box; the unknown changes pictures by %.2f of that",
            found.ratio,
            outside,
            unknown,
        )
        closed_in = explained > options.closed_in and unknown < options.unknown
        far = found.ratio > options.mismatch and len(renders) >= AFTER
        strange = far and (closed_in or outside > options.outside)
        self._rounds = self._rounds + 1 if strange else 0

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {"scatter": self._scatter, "rounds": self._rounds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self._scatter = state["scatter"]
        self._rounds = state["rounds"]
