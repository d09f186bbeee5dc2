# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part: the trainer's estimators, and what others would reach for."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from gdr_core.settings import TrainingSettings
from trainer import estimators
from trainer.estimators import Estimator
from trainer.estimators.probability_model import ProbabilityModel

from .baselines.base import Baseline
from .baselines.cma_es import CMA
from .baselines.mmd import MMD
from .baselines.npe import NPE

BATCHES = {"regression": 20, "adversarial": 64}
"""Renders a step of the trainer's estimators; others get the trainer's default."""
BUDGET = 5120
"""Renders for an estimator that does not stop by itself: 80 steps of the reference method."""

Make = Callable[[ProbabilityModel, np.ndarray, torch.Generator], Estimator]


@dataclass(frozen=True)
class Contestant:
    """One column of the table.

    Attributes
    ----------
    name
        Its identifier.
    make
        Builds it from the model at the start, targets ``(N, S, S, 3)`` uint8 and a generator.
    budget
        Renders it is given; None for those of the task.
    needs
        A package that must be installed.
    """

    name: str
    make: Make
    budget: int | None = None
    needs: str = ""

    @property
    def missing(self) -> str:
        """A sentence that says what to install, empty if nothing is missing."""
        if not self.needs or importlib.util.find_spec(self.needs):
            return ""
        return (
            f"{self.name} is skipped: it needs the package {self.needs}; "
            f"pip install -e '.[bench]' -c constraints.txt brings it."
        )


def _ours(name: str) -> Contestant:
    settings = TrainingSettings(estimator=name, batch=BATCHES.get(name, TrainingSettings().batch))

    def make(model: ProbabilityModel, targets: np.ndarray, generator: torch.Generator) -> Estimator:
        return estimators.make(settings, model, targets, torch.device("cpu"), generator)

    return Contestant(name, make, BUDGET if name == "adversarial" else None)


def _baseline(
    name: str, kind: type[Baseline], batch: int, budget: int = BUDGET, needs: str = ""
) -> Contestant:
    def make(model: ProbabilityModel, targets: np.ndarray, generator: torch.Generator) -> Estimator:
        return kind(model, targets, batch, torch.device("cpu"), generator, kind.Options())

    return Contestant(name, make, budget, needs)


CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        *(_ours(name) for name in sorted(estimators.ESTIMATORS, key="adversarial".__eq__)),
        _baseline("mmd", MMD, batch=32),
        _baseline("cma", CMA, batch=16, needs="cma"),
        _baseline("npe", NPE, batch=256, budget=2560, needs="sbi"),
    )
}
"""Ours first, then the reference method, then the baselines."""
