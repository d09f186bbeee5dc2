# SPDX-License-Identifier: GPL-3.0-or-later
"""Detects undetermined parameters: those that change no picture."""

from __future__ import annotations

from typing import Any

import torch

from . import proposals
from .proposals import Box
from .renders import Prediction, Renders

MIN_EXPLAINED = 0.1
"""A parameter is suspected when pictures explain less than this share of its variance."""
ROUNDS = 6
"""Rounds in a row of suspicion before a parameter is tested."""
MAX_CHANGE = 0.02
"""A parameter changes no picture when the change is below this share of the distance between
targets."""


class Probe:
    """Suspects parameters that predictions explain little of, and tests them by pairs of renders.

    A low explained variance may have other reasons: renders may not be near the targets yet. Two
    renders that differ in one parameter only, and are the same picture, are evidence.

    Parameters
    ----------
    count
        Number of parameters.

    Attributes
    ----------
    undetermined
        ``(K,)`` bool: parameters that were tested and changed nothing.
    """

    def __init__(self, count: int):
        self.undetermined = torch.zeros(count, dtype=torch.bool)
        self._rounds = torch.zeros(count, dtype=torch.int64)
        self._tested: int | None = None
        self._pairs = 0

    def update(self, explained: torch.Tensor) -> None:
        """Count another round, with the explained variance ``(K,)`` of its prediction."""
        self._rounds = torch.where(explained < MIN_EXPLAINED, self._rounds + 1, 0)

    @property
    def suspects(self) -> torch.Tensor:
        """``(K,)`` bool: parameters that may yet turn out to be undetermined."""
        return (self._rounds > 0) & ~self.undetermined

    def plan(
        self, count: int, prediction: Prediction, box: Box, generator: torch.Generator
    ) -> torch.Tensor | None:
        """Return about ``count`` renders that test a suspect, or None if no test is due."""
        due = self.suspects & (self._rounds >= ROUNDS)
        if not due.any():
            return None
        self._tested, self._pairs = int(due.nonzero()[0]), max(1, count // 2)
        jitter = torch.diag((0.5 * prediction.spread) ** 2)
        first = proposals.around_targets(self._pairs, prediction, jitter, generator)
        second = first.clone()
        second[:, self._tested] = box.draw(self._pairs, generator)[:, self._tested]
        return torch.cat((first, second))

    def evaluate(self, renders: Renders, targets: torch.Tensor) -> None:
        """Evaluate the test of :meth:`plan`, whose pairs are the last renders, if there was one.

        Parameters
        ----------
        targets
            Features ``(N, F)``.
        """
        if self._tested is None:
            return
        first, second = renders.features[-2 * self._pairs :].split(self._pairs)
        change = (first - second).norm(dim=1).median()
        distance = torch.cdist(targets, torch.cat((targets, first))).median()
        self.undetermined[self._tested] = change < MAX_CHANGE * distance
        self._rounds[self._tested] = 0
        self._tested = None

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {
            "undetermined": self.undetermined,
            "rounds": self._rounds,
            "tested": self._tested,
            "pairs": self._pairs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`."""
        self.undetermined = state["undetermined"]
        self._rounds = state["rounds"]
        self._tested = state["tested"]
        self._pairs = state["pairs"]
