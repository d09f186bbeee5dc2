# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads targets of another light or camera than the renders': by a network that looks past that."""

from __future__ import annotations

from typing import Any

import torch

from . import proposals
from .empirical_bayes import Population
from .network import Network
from .options import RegressionOptions
from .proposals import Box
from .reader import Reader, worst
from .renders import Prediction, Renders


class NetworkReader(Reader):
    """Thumbnails to parameters.

    Parameters
    ----------
    targets
        ``(N, 3, T, T)`` uint8 thumbnails.
    network
        What reads; trained on with each reading.
    box
        Where the search is.
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
        self._moved: torch.Tensor | None = None

    def read(self, renders: Renders, before: Prediction | None) -> Prediction:
        found = self._network.predict(renders, self._targets, before, self._options.width)
        self._moved = None if before is None else (found.mean - before.mean).mean(0).abs()
        return found

    def doubt(self, prediction: Prediction, told: torch.Tensor) -> float:
        if self._moved is None:
            return torch.inf
        errors = torch.maximum(prediction.error, self._moved) / prediction.spread
        return worst(errors, told) / self._options.network_precision

    def plan(
        self,
        count: int,
        prediction: Prediction,
        found: Population,
        renders: Renders,
        generator: torch.Generator,
    ) -> torch.Tensor:
        options = self._options
        wide = round(options.network_wide * options.network_next)
        width = (options.network_jitter * prediction.spread).clamp(min=0.03)
        around = torch.diag(width**2)
        near = proposals.at_targets(options.network_next - wide, prediction, around, generator)
        plan = torch.cat((near, self._box.draw(wide, generator)))
        return plan[torch.randperm(len(plan), generator=generator)]

    def state_dict(self) -> dict[str, Any]:
        return {"network": self._network.state_dict(), "moved": self._moved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._moved = state["moved"]
