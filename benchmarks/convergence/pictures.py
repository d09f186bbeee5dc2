# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what was found can be told from the truth by the pictures alone.

A classifier two-sample test (Lopez-Paz & Oquab, *Revisiting Classifier Two-Sample Tests*, arXiv
1610.06545) between renders of the model and fresh renders of the truth, which the estimator has
never seen. Both are clean: what targets are seen through is not what is asked for.
"""

from __future__ import annotations

from typing import Any

from trainer.probability_model import ProbabilityModel

from .scene import Scene
from .tasks import Task, Truth

EVERY = 100
"""Renders between two looks at a task that is judged by the pictures."""


class Inspector:
    """Looks at the model during a run, and keeps what it saw in :attr:`checks`.

    Attributes
    ----------
    checks
        Dicts of ``renders`` and the classifier's ``accuracy`` with the ends ``low`` and ``high``
        of its interval.
    """

    def __init__(self, scene: Scene, task: Task, truth: Truth, seed: int) -> None:
        self.checks: list[dict[str, Any]] = []
        self._scene = scene
        self._task = task
        self._truth = truth
        self._seed = seed
        self._next = EVERY

    def look(self, model: ProbabilityModel, renders: int, last: bool) -> None:
        """Test the model if it is time: every so often where pictures judge, else at the end."""
        due = self._task.by_pictures and renders >= self._next
        if not (due or last):
            return
        self._next = renders - renders % EVERY + EVERY

    @property
    def available(self) -> bool:
        return False
