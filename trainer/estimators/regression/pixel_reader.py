# SPDX-License-Identifier: GPL-3.0-or-later
"""Inference from pixels: by regression first, then by an inverted emulator."""

from __future__ import annotations

import logging
from typing import Any

import torch

from . import emulation, pixel_regression, proposals
from .empirical_bayes import Population
from .mismatch import Mismatch
from .options import RegressionOptions
from .proposals import Box
from .reader import Reader, largest
from .renders import Prediction, Renders

log = logging.getLogger(__name__)


class PixelReader(Reader):
    """Infers parameters from the features of pictures.

    Parameters
    ----------
    targets
        Features ``(N, F)``.
    box
        The region of the search.
    options
        Settings.
    """

    def __init__(self, targets: torch.Tensor, box: Box, options: RegressionOptions):
        self._targets = targets
        self._box = box
        self._options = options
        self._warm_start: emulation.WarmStart | None = None
        self._shift: torch.Tensor | None = None
        self._mismatch = Mismatch(targets, options)

    @property
    def mismatched(self) -> bool:
        """Whether no render can be like the targets, because light or camera differ."""
        return self._mismatch.detected

    def predict(self, renders: Renders, previous: Prediction | None) -> Prediction:
        options = self._options
        emulated = self.sensitivity is not None
        initial = previous if emulated else self._regression(renders, previous)
        result = emulation.predict(
            renders,
            self._targets,
            initial,
            options.half / emulation.PRIOR_WIDTH * self._box.unit,
            [initial.mean],
            self._warm_start,
        )
        log.info(
            "The emulator explains %.3f of the pictures' variance; its misfit of targets is %.2f",
            result.explained,
            result.misfit,
        )
        sensitivity = result.warm_start.sensitivity
        self._mismatch.update(renders, initial, sensitivity, result.explained)
        accepted = result.explained > options.explained and result.misfit < options.misfit
        self._warm_start = result.warm_start
        self.sensitivity = sensitivity if accepted else None
        if not accepted:
            return self._regression(renders, previous) if emulated else initial
        self._shift = result.prediction.shift_from(previous) if emulated else None
        return result.prediction

    def _regression(self, renders: Renders, previous: Prediction | None) -> Prediction:
        """Return the prediction of a regression of parameters on pictures."""
        return pixel_regression.predict(renders, self._targets, previous, self._options.width)

    def relative_uncertainty(self, prediction: Prediction, determined: torch.Tensor) -> float:
        if self.sensitivity is None:
            errors = prediction.error / prediction.spread
            return largest(errors, determined) / self._options.precision
        change = self.sensitivity * prediction.covariance.mean(0)
        both = determined[:, None] & determined
        total = torch.where(both, change, 0.0).sum().clamp(min=0.0)
        uncertainty = total.sqrt().item() / self._options.picture_precision
        if self._shift is None:
            return uncertainty
        return max(uncertainty, largest(self._shift, determined) / self._options.mean_shift)

    def plan(
        self,
        count: int,
        prediction: Prediction,
        population: Population,
        renders: Renders,
        generator: torch.Generator,
    ) -> torch.Tensor:
        options = self._options
        if self.sensitivity is not None:
            count = max(count, round(options.emulated_next * len(renders)))
            in_box = max(1, round(options.share_box * count))
            jitter = proposals.jitter_by_sensitivity(
                population.std.clamp(min=0.01),
                self.sensitivity,
                options.emulated_jitter,
                options.emulated_weak,
                options.emulated_widening,
            )
            near = proposals.around_targets(count - in_box, prediction, jitter, generator)
            return torch.cat((near, self._box.draw(in_box, generator)))
        in_box = max(1, round(options.share_box * count))
        nearest = round(options.share_nearest * count)
        near = proposals.search(
            max(0, count - in_box - nearest),
            prediction,
            renders,
            self._targets,
            self._box,
            options.jitter,
            generator,
        )
        best = proposals.around_nearest(nearest, renders, self._targets, generator)
        return torch.cat((near, best, self._box.draw(in_box, generator)))[:count]

    def state_dict(self) -> dict[str, Any]:
        return {
            "warm_start": vars(self._warm_start) if self._warm_start else None,
            "sensitivity": self.sensitivity,
            "shift": self._shift,
            "mismatch": self._mismatch.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        warm_start = state["warm_start"]
        self._warm_start = emulation.WarmStart(**warm_start) if warm_start else None
        self.sensitivity = state["sensitivity"]
        self._shift = state["shift"]
        self._mismatch.load_state_dict(state["mismatch"])
