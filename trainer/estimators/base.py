# SPDX-License-Identifier: GPL-3.0-or-later
"""The estimator seam: how ``psi`` moves, given targets and renders.

An estimator proposes parameters, receives their renders, and moves its probability model. It knows
the optimised parameters alone, in internal units (:mod:`gdr_core.families`), and neither the scene
nor Blender, files or the person; the run loop does the rest.
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
    """Report of one update.

    Attributes
    ----------
    d_real, d_sim
        Mean output of the discriminator for targets and for renders; NaN without one.
    converged
        Whether the estimator has converged; None if it cannot tell.
    note
        A sentence for the person about an event that they should know of; empty without one.
    """

    d_real: float = math.nan
    d_sim: float = math.nan
    converged: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Uncertainty:
    """Standard errors of an estimated distribution, in internal units.

    Attributes
    ----------
    mean, std
        Standard error of each mean and of each spread, in the order of the parameters. The
        estimand is the distribution that the targets were drawn from, so the errors include that
        of a sample of as many targets.
    undetermined
        Names of parameters that change the pictures (almost) not at all.
    trade_offs
        Groups of parameters that can be exchanged without changing the pictures much.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    undetermined: tuple[str, ...] = ()
    trade_offs: tuple[TradeOff, ...] = ()


def _never_stop() -> None:
    """Raise nothing: the default of :attr:`Estimator.check`."""


class Estimator(ABC):
    """Moves a probability model towards the distribution of the targets.

    Parameters
    ----------
    model
        The probability model, at the run's start; the estimator changes it in place.
    targets
        ``(N, S, S, 3)`` uint8.
    batch
        Renders in a step.
    device
        Device of the computation.
    generator
        CPU generator; the only source of randomness.
    options
        The estimator's own settings by name, over its defaults.
    """

    Options: ClassVar[type]
    """A frozen dataclass of the estimator's settings, each with a default."""

    model: ProbabilityModel

    ends_itself: ClassVar[bool] = False
    """Whether its reports say that it has converged."""

    mismatched: bool = False
    """Whether the estimator has detected that no render can be like the targets. Nuisances with
    ``when = "mismatch"`` (:class:`gdr_core.roles.Random`) are then drawn for the next renders."""

    check: Callable[[], None] = staticmethod(_never_stop)
    """Called now and then in a long update; may raise to end it. The model is then as it was
    before, and of the rest only :meth:`uncertainty` may be used."""

    @abstractmethod
    def propose(self) -> torch.Tensor:
        """Return the parameters to render next, ``x`` of shape ``(n, K)``, on the CPU."""

    @abstractmethod
    def update(self, x: torch.Tensor, images: np.ndarray) -> StepReport:
        """Take the renders ``(n, S, S, 3)`` uint8 of ``x`` and move the model."""

    def uncertainty(self) -> Uncertainty | None:
        """Return the standard errors of the distribution, or None if they are not known."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all state as nested dicts and lists of tensors, numbers, strings and None."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of :meth:`state_dict`."""
