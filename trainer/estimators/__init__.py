# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimators by name. A new one is a file here and a line in :data:`ESTIMATORS`."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from gdr_core.errors import BadSettings
from gdr_core.settings import TrainingSettings

from ..probability_model import ProbabilityModel
from .adversarial import Adversarial
from .base import Estimator, StepReport

__all__ = ["ESTIMATORS", "Estimator", "StepReport", "check", "make"]

ESTIMATORS: dict[str, type[Estimator]] = {"adversarial": Adversarial}


def check(training: TrainingSettings) -> None:
    """Raise :class:`BadSettings` for an unknown estimator or an option it does not have."""
    _options(training)


def make(
    training: TrainingSettings,
    model: ProbabilityModel,
    targets: np.ndarray,
    device: torch.device,
    generator: torch.Generator,
) -> Estimator:
    """Build the estimator that the settings name; see :class:`Estimator` for the arguments."""
    return ESTIMATORS[training.estimator](
        model, targets, training.batch, device, generator, _options(training)
    )


def _options(training: TrainingSettings) -> object:
    if training.estimator not in ESTIMATORS:
        raise BadSettings(
            f"There is no estimator named {training.estimator!r}; "
            f"choose one of {', '.join(ESTIMATORS)}."
        )
    kind = ESTIMATORS[training.estimator].Options
    known = {field.name: type(field.default) for field in dataclasses.fields(kind)}
    given = {}
    for name, value in training.options.items():
        if name not in known:
            raise BadSettings(
                f"The {training.estimator} estimator has no option {name!r}; "
                f"it has {', '.join(known)}."
            )
        if not isinstance(value, (int, float)) or isinstance(value, bool) is not (
            known[name] is bool
        ):
            raise BadSettings(f"The option {name} is {value!r}; give a {known[name].__name__}.")
        given[name] = known[name](value)
    return kind(**given)
