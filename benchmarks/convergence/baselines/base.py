# SPDX-License-Identifier: GPL-3.0-or-later
"""What the baselines have in common: plain picture features, a distance, no saved state."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from trainer.estimators import Estimator
from trainer.estimators.probability_model import ProbabilityModel

CELLS = 16
"""Boxes along a side of a picture."""


@dataclass(frozen=True)
class NoOptions:
    """A baseline's settings are constants of its file."""


class Baseline(Estimator):
    """An estimator that sees features of pictures, and whose run is never resumed.

    It computes on the CPU and has no options; :meth:`begin` takes the place of a constructor.
    """

    Options = NoOptions

    def __init__(
        self,
        model: ProbabilityModel,
        targets: np.ndarray,
        batch: int,
        device: torch.device,
        generator: torch.Generator,
        options: NoOptions,
    ):
        self.model = model
        self.targets = features(targets)
        self.batch = batch
        self.generator = generator
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Set up what the method needs besides."""

    def state_dict(self) -> dict[str, Any]:
        raise NotImplementedError("A run of the benchmark starts from its beginning.")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise NotImplementedError("A run of the benchmark starts from its beginning.")


def features(images: np.ndarray) -> torch.Tensor:
    """Return mean grey levels in 16 x 16 boxes, ``(N, 256)`` float32 in [0, 1]."""
    grey = torch.from_numpy(images.astype(np.float32).mean(-1) / 255.0)[:, None]
    return functional.avg_pool2d(grey, images.shape[1] // CELLS).flatten(1)


def energy_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the squared energy distance of samples ``(..., N, F)`` and ``(M, F)``, unbiased.

    Twice the mean distance between the samples less those within them: an MMD with the kernel
    ``-|x - y|`` (Szekely & Rizzo, *Energy statistics*, 2013; Sejdinovic et al., arXiv 1207.6076).
    It has no width to choose, and a slope however far the samples are from each other.
    """
    between = torch.cdist(a, b.expand(*a.shape[:-2], *b.shape)).mean((-1, -2))
    return 2.0 * between - _within(a) - _within(b)


def _within(a: torch.Tensor) -> torch.Tensor:
    count = a.shape[-2]
    return torch.cdist(a, a).sum((-1, -2)) / (count * (count - 1))
