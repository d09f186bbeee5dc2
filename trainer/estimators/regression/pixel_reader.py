# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads targets that renders can be like: by regression at first, then by an emulator."""

from __future__ import annotations

import logging
from typing import Any

import torch

from . import emulation, pixel_regression, proposals
from .empirical_bayes import Population
from .mismatch import Mismatch
from .options import RegressionOptions
from .proposals import Box
from .reader import Reader, worst
from .renders import Prediction, Renders

log = logging.getLogger(__name__)


class PixelReader(Reader):
    """Levels of pixels to parameters.

    Parameters
    ----------
    targets
        ``(N, F)`` boxes.
    box
        Where the search is.
    options
        Settings.
    """

    def __init__(self, targets: torch.Tensor, box: Box, options: RegressionOptions):
        self._targets = targets
        self._box = box
        self._options = options
        self._learned: emulation.Learned | None = None
        self._moved: torch.Tensor | None = None
        self._mismatch = Mismatch(targets, options)

    @property
    def mismatched(self) -> bool:
        """Whether no render can be like the targets, because light or camera differ."""
        return self._mismatch.noticed

    def read(self, renders: Renders, before: Prediction | None) -> Prediction:
        options = self._options
        served = self.sensitivity is not None
        belief = before if served else self._regressed(renders, before)
        found = emulation.predict(
            renders,
            self._targets,
            belief,
            options.half / emulation.REACH * self._box.unit,
            [belief.mean],
            self._learned,
        )
        log.info(
            "An emulator foresees %.3f of the pictures and misses targets by %.2f",
            found.explained,
            found.misfit,
        )
        self._mismatch.watch(renders, belief, found.learned.sensitivity, found.explained)
        serves = found.explained > options.explained and found.misfit < options.misfit
        self._learned = found.learned
        self.sensitivity = found.learned.sensitivity if serves else None
        if not serves:
            return self._regressed(renders, before) if served else belief
        self._moved = found.prediction.moved(before) if served else None
        return found.prediction

    def _regressed(self, renders: Renders, before: Prediction | None) -> Prediction:
        """Return what a regression of parameters on pictures says."""
        return pixel_regression.predict(renders, self._targets, before, self._options.width)

    def doubt(self, prediction: Prediction, told: torch.Tensor) -> float:
        if self.sensitivity is None:
            return worst(prediction.error / prediction.spread, told) / self._options.precision
        unknown = self.sensitivity * prediction.covariance.mean(0)
        changed = torch.where(told[:, None] & told, unknown, 0.0).sum().clamp(min=0.0)
        unsure = changed.sqrt().item() / self._options.picture_precision
        if self._moved is None:
            return unsure
        return max(unsure, worst(self._moved, told) / self._options.still)

    def plan(
        self,
        count: int,
        prediction: Prediction,
        found: Population,
        renders: Renders,
        generator: torch.Generator,
    ) -> torch.Tensor:
        options = self._options
        if self.sensitivity is not None:
            count = max(count, round(options.emulated_next * len(renders)))
            wide = max(1, round(options.share_wide * count))
            around = proposals.farther_where_hidden(
                found.std.clamp(min=0.01),
                self.sensitivity,
                options.emulated_jitter,
                options.emulated_seen,
                options.emulated_farthest,
            )
            near = proposals.at_targets(count - wide, prediction, around, generator)
            return torch.cat((near, self._box.draw(wide, generator)))
        wide = max(1, round(options.share_wide * count))
        alike = round(options.share_alike * count)
        near = proposals.search(
            max(0, count - wide - alike),
            prediction,
            renders,
            self._targets,
            self._box,
            options.jitter,
            generator,
        )
        best = proposals.around_best(alike, renders, self._targets, generator)
        return torch.cat((near, best, self._box.draw(wide, generator)))[:count]

    def state_dict(self) -> dict[str, Any]:
        return {
            "learned": vars(self._learned) if self._learned else None,
            "sensitivity": self.sensitivity,
            "moved": self._moved,
            "mismatch": self._mismatch.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._learned = emulation.Learned(**state["learned"]) if state["learned"] else None
        self.sensitivity = state["sensitivity"]
        self._moved = state["moved"]
        self._mismatch.load_state_dict(state["mismatch"])
