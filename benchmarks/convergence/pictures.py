# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was found can be told from the truth by the pictures alone.

A classifier two-sample test (Lopez-Paz & Oquab, *Revisiting Classifier Two-Sample Tests*, arXiv
1610.06545) between renders of the model and fresh renders of the truth, which the estimator has
never seen. Both are clean: what targets are seen through is not what is asked for.

Where different parameters give the same pictures, this is the fair judge, and the parameters'
errors are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from trainer.estimators.probability_model import ProbabilityModel
from trainer.evaluation.differences import describe
from trainer.evaluation.two_sample_test import compare

from .scene import Scene
from .tasks import Task, Truth

COUNT = 128
"""Pictures of each kind. With 256, on the task with six parameters, the test tells the truth from
the mean and spread of 64 samples of it, the best that can be found, for every other seed (7 of 15);
with 128 for 1 of 15, and 12 of 15 of spreads that are 1.3 times too large."""
EVERY = 100
"""Renders between two tests of a task that is judged by the pictures, where a run has 1500."""


class Inspector:
    """Tests the model during a run, and keeps what it saw in :attr:`checks`.

    Parameters
    ----------
    scene, task, truth, seed
        What the run is about.
    limit
        Renders of the run; one with more than 1500 is tested in larger steps.

    Attributes
    ----------
    checks
        Dicts of ``renders`` and the classifier's ``accuracy`` with the ends ``low`` and ``high``
        of its interval.
    """

    def __init__(self, scene: Scene, task: Task, truth: Truth, seed: int, limit: int) -> None:
        self.checks: list[dict[str, Any]] = []
        self._scene = scene
        self._task = task
        self._seed = seed
        self._every = EVERY * max(1, round(limit / 1500))
        self._next = self._every
        fresh = truth.draw(COUNT, np.random.default_rng(3000 + seed))
        self._held_out = scene.render(fresh, task.names)

    def look(self, model: ProbabilityModel, renders: int, last: bool) -> None:
        """Test the model if it is time: every so often where pictures judge, else at the end."""
        if not last and not (self._task.by_pictures and renders >= self._next):
            return
        self._next = renders - renders % self._every + self._every
        generator = torch.Generator().manual_seed(100_000 * self._seed + renders)
        found = compare(self._held_out, self._renders(model, generator), generator)
        self.checks.append(
            {
                "renders": renders,
                "accuracy": round(found.accuracy, 4),
                "low": round(found.low, 4),
                "high": round(found.high, 4),
            }
        )

    def ceiling(self, drawn: np.ndarray) -> dict[str, Any] | None:
        """Test the best that can be found, where pictures judge: the normal distribution with the
        mean and spread of the targets' own parameters ``(N, K)``."""
        if not self._task.by_pictures:
            return None
        noise = np.random.default_rng(4000 + self._seed).normal(size=(COUNT, drawn.shape[1]))
        renders = self._scene.render(drawn.mean(0) + drawn.std(0) * noise, self._task.names)
        generator = torch.Generator().manual_seed(self._seed)
        found = compare(self._held_out, renders, generator)
        return {"accuracy": round(found.accuracy, 4), "low": round(found.low, 4)}

    def differences(self, model: ProbabilityModel, targets: np.ndarray) -> list[str]:
        """Return what the program says of targets that the renders do not match."""
        generator = torch.Generator().manual_seed(100_000 * self._seed)
        return list(describe(targets, self._renders(model, generator)))

    def _renders(self, model: ProbabilityModel, generator: torch.Generator) -> np.ndarray:
        x = model.sample(COUNT, generator).numpy()
        return self._scene.render(x, model.names)
