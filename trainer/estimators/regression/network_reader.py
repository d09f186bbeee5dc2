# SPDX-License-Identifier: GPL-3.0-or-later
"""Inference after a mismatch, by a network that ignores differences of light and camera."""

from __future__ import annotations

from typing import Any

import torch

from . import proposals
from .empirical_bayes import Population
from .network import Network
from .options import RegressionOptions
from .proposals import Box
from .reader import Reader, largest
from .renders import Prediction, Renders


class NetworkReader(Reader):
    """Infers parameters from thumbnails.

    Parameters
    ----------
    targets
        ``(N, 3, T, T)`` uint8 thumbnails.
    network
        The network, which is trained further before each prediction.
    box
        The region of the search.
    options
        Settings.
    """

    def __init__(
        self, targets: torch.Tensor, network: Network, box: Box, options: RegressionOptions
    ):
        self._targets = targets
        self._network = network
        self._box = box
        self._options = options
        self._shift: torch.Tensor | None = None

    def predict(self, renders: Renders, previous: Prediction | None) -> Prediction:
        prediction = self._network.predict(renders, self._targets, previous, self._options.width)
        self._shift = None if previous is None else (prediction.mean - previous.mean).mean(0).abs()
        return prediction

    def relative_uncertainty(self, prediction: Prediction, determined: torch.Tensor) -> float:
        if self._shift is None:
            return torch.inf
        errors = torch.maximum(prediction.error, self._shift) / prediction.spread
        return largest(errors, determined) / self._options.network_precision

    def plan(
        self,
        count: int,
        prediction: Prediction,
        population: Population,
        renders: Renders,
        generator: torch.Generator,
    ) -> torch.Tensor:
        options = self._options
        in_box = round(options.network_box * options.network_next)
        width = (options.network_jitter * prediction.spread).clamp(min=0.03)
        jitter = torch.diag(width**2)
        near = proposals.around_targets(
            options.network_next - in_box, prediction, jitter, generator
        )
        plan = torch.cat((near, self._box.draw(in_box, generator)))
        return plan[torch.randperm(len(plan), generator=generator)]

    def state_dict(self) -> dict[str, Any]:
        return {"network": self._network.state_dict(), "shift": self._shift}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._shift = state["shift"]
