# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the sequence of rounds and the ways to read parameters off pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from .empirical_bayes import Population
from .renders import Prediction, Renders


class Reader(ABC):
    """Reads parameters off the targets, and says which renders would help it.

    Attributes
    ----------
    sensitivity
        ``(K, K)``: the mean square by which a picture changes with parameters, in internal units,
        over the variance of the targets' pictures; None while that is not known.
    """

    sensitivity: torch.Tensor | None = None

    @abstractmethod
    def read(self, renders: Renders, before: Prediction | None) -> Prediction:
        """Return the parameters of the targets, as all renders and what was believed tell."""

    @abstractmethod
    def doubt(self, prediction: Prediction, told: torch.Tensor) -> float:
        """Return how unsure it is, below 1 for sure enough.

        Parameters
        ----------
        told
            ``(K,)`` bool: the parameters that count.
        """

    @abstractmethod
    def plan(
        self,
        count: int,
        prediction: Prediction,
        found: Population,
        renders: Renders,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the parameters ``(n, K)`` to render before the next reading.

        Parameters
        ----------
        count
            Renders a batch.
        found
            The population behind the prediction.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all state."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""


def worst(errors: torch.Tensor, told: torch.Tensor) -> float:
    """Return the largest of the errors ``(K,)`` that count."""
    return torch.where(told, errors, 0.0).max().item()
