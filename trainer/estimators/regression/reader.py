# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface between the sequence of rounds and the two ways to infer parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from .empirical_bayes import Population
from .renders import Prediction, Renders


class Reader(ABC):
    """Infers the parameters of the targets, and proposes the renders that it needs.

    Attributes
    ----------
    sensitivity
        ``(K, K)``: mean over the targets of ``J^T J``, with ``J`` the derivative of a picture with
        respect to its parameters in internal units, divided by the variance of the targets'
        pictures; None until an emulator is accepted.
    """

    sensitivity: torch.Tensor | None = None

    @abstractmethod
    def predict(self, renders: Renders, previous: Prediction | None) -> Prediction:
        """Return the posterior of the targets' parameters, given all renders.

        Parameters
        ----------
        previous
            The prediction of the round before.
        """

    @abstractmethod
    def relative_uncertainty(self, prediction: Prediction, determined: torch.Tensor) -> float:
        """Return the uncertainty of a prediction over the one at which the run has converged.

        Parameters
        ----------
        determined
            ``(K,)`` bool: the parameters that count.
        """

    @abstractmethod
    def plan(
        self,
        count: int,
        prediction: Prediction,
        population: Population,
        renders: Renders,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the parameters ``(n, K)`` to render before the next prediction.

        Parameters
        ----------
        count
            Renders in a batch.
        population
            The population behind the prediction.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all state."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`."""


def largest(errors: torch.Tensor, determined: torch.Tensor) -> float:
    """Return the largest error ``(K,)`` among determined parameters."""
    return torch.where(determined, errors, 0.0).max().item()
