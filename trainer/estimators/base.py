# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator seam: how ``psi`` moves, given targets and renders.

An estimator proposes parameters, is shown what they look like, and moves its probability model.
It speaks of the optimised parameters alone, in internal units (:mod:`gdr_core.families`), and knows
nothing of the scene, of Blender, of files or of the person; the run loop does the rest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from gdr_core.messages import TradeOff

from .probability_model import ProbabilityModel


@dataclass(frozen=True)
class StepReport:
    """What one update did.

    Attributes
    ----------
    d_real, d_sim
        Mean output of the discriminator for targets and for renders; NaN without one.
    converged
        Whether the estimator sees no reason to go on; None for one that cannot tell.
    note
        A sentence for the person, where something happened that they should know of.
    """

    d_real: float = math.nan
    d_sim: float = math.nan
    converged: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Uncertainty:
    """How well an estimator knows its distribution; everything in internal units.

    Attributes
    ----------
    mean, std
        Standard error of each mean and of each spread, in the order of the parameters: how far
        they may be from those of the distribution that the targets were drawn from, which is no
        less than that a few targets say little of it.
    undetermined
        Names of parameters that the pictures say (almost) nothing about.
    trade_offs
        Groups of parameters that can be exchanged without changing the pictures much.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    undetermined: tuple[str, ...] = ()
    trade_offs: tuple[TradeOff, ...] = ()


def _go_on() -> None:
    """Nothing asks an update to be left."""


class Estimator(ABC):
    """Moves a probability model towards the distribution of the targets.

    Parameters
    ----------
    model
        Starts at the run's start; the estimator changes it in place.
    targets
        ``(N, S, S, 3)`` uint8.
    batch
        Renders a step.
    device
        Where to compute.
    generator
        CPU generator; the only source of randomness.
    options
        The estimator's own settings by name, over its defaults.
    """

    Options: ClassVar[type]
    """A frozen dataclass of the estimator's settings, each with a default."""

    model: ProbabilityModel

    ends_itself: ClassVar[bool] = False
    """Whether its reports say when it sees no reason to go on."""

    mismatched: bool = False
    """Whether it found that renders cannot be like the targets, and learns to look past such
    differences: nuisances that are kept for this (:class:`gdr_core.roles.Random`) are then drawn
    for the next renders."""

    check: Callable[[], None] = staticmethod(_go_on)
    """Called now and then in an update that takes long; may raise to leave it. The model is then as
    it was before, and the rest of the state good for nothing but :meth:`uncertainty`."""

    @abstractmethod
    def propose(self) -> torch.Tensor:
        """Return the parameters to render next, ``x`` of shape ``(n, K)``, on the CPU."""

    @abstractmethod
    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        """Take the renders ``(n, S, S, 3)`` uint8 of ``x`` and move the model."""

    def uncertainty(self) -> Uncertainty | None:
        """Return how well the distribution is known, or None for one that cannot tell."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all state as nested dicts and lists of tensors, numbers, strings and None."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
