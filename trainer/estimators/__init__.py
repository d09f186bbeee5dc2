# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimators by name.

A new one is a file here and a line in :data:`ESTIMATORS`, with its pace in
:data:`gdr_core.settings.PACES`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from gdr_core.errors import BadSettings
from gdr_core.settings import TrainingSettings

from .adversarial import Adversarial
from .base import Estimator, StepReport, Uncertainty
from .probability_model import ProbabilityModel
from .regression.estimator import Regression

__all__ = ["ESTIMATORS", "Estimator", "StepReport", "Uncertainty", "check", "make"]

ESTIMATORS: dict[str, type[Estimator]] = {
    "regression": Regression,
    "adversarial": Adversarial,
}


_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


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
        model, targets, training.filled().batch, device, generator, _options(training)
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
        # A whole number will do for a float, as TOML writes 1.0 and 1 alike to people.
        if type(value) is not known[name] and (type(value), known[name]) != (int, float):
            raise BadSettings(f"The option {name} is {value!r}; give {_KINDS[known[name]]}.")
        given[name] = known[name](value)
    return kind(**given)
