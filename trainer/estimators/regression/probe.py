# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds parameters that the pictures do not show."""

from __future__ import annotations

from typing import Any

import torch

from . import proposals
from .proposals import Box
from .renders import Prediction, Renders

UNTOLD = 0.1
"""A parameter may be undetermined where pictures tell less than this share of its variance."""
ROUNDS = 6
"""Rounds running in which they must tell so little before this is looked into."""
SAME = 0.02
"""Pictures are the same that differ by less than this share of what targets differ by."""


class Probe:
    """Suspects parameters that predictions say little of, and tries them in pairs of renders.

    That predictions say little may have other reasons: renders may not be near the targets yet.
    Two renders that differ in one parameter only, and are the same picture, are evidence.

    Parameters
    ----------
    count
        Parameters.

    Attributes
    ----------
    undetermined
        ``(K,)`` bool: parameters that were tried and changed nothing.
    """

    def __init__(self, count: int):
        self.undetermined = torch.zeros(count, dtype=torch.bool)
        self._rounds = torch.zeros(count, dtype=torch.int64)
        self._tried: int | None = None
        self._pairs = 0

    def watch(self, told: torch.Tensor) -> None:
        """Take another prediction's ``told`` ``(K,)``."""
        self._rounds = torch.where(told < UNTOLD, self._rounds + 1, 0)

    @property
    def suspects(self) -> torch.Tensor:
        """``(K,)`` bool: parameters that may yet turn out to be undetermined."""
        return (self._rounds > 0) & ~self.undetermined

    def plan(
        self, count: int, prediction: Prediction, box: Box, generator: torch.Generator
    ) -> torch.Tensor | None:
        """Return about ``count`` renders to try a suspect with, or None without one."""
        ripe = self.suspects & (self._rounds >= ROUNDS)
        if not ripe.any():
            return None
        self._tried, self._pairs = int(ripe.nonzero()[0]), max(1, count // 2)
        around = torch.diag((0.5 * prediction.spread) ** 2)
        base = proposals.at_targets(self._pairs, prediction, around, generator)
        twins = base.clone()
        twins[:, self._tried] = box.draw(self._pairs, generator)[:, self._tried]
        return torch.cat((base, twins))

    def judge(self, renders: Renders, targets: torch.Tensor) -> None:
        """Look at what :meth:`plan` asked for, the last of the renders, if it asked.

        Parameters
        ----------
        targets
            ``(N, F)`` boxes.
        """
        if self._tried is None:
            return
        base, twins = renders.boxes[-2 * self._pairs :].split(self._pairs)
        change = (base - twins).norm(dim=1).median()
        among = torch.cdist(targets, torch.cat((targets, base))).median()
        self.undetermined[self._tried] = change < SAME * among
        self._rounds[self._tried] = 0
        self._tried = None

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {
            "undetermined": self.undetermined,
            "rounds": self._rounds,
            "tried": self._tried,
            "pairs": self._pairs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.undetermined = state["undetermined"]
        self._rounds = state["rounds"]
        self._tried = state["tried"]
        self._pairs = state["pairs"]
