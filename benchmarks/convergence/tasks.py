# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks: which distribution is hidden, where an estimator starts, and what counts as found.

All parameters are log-normal and everything here is in internal units, those of the logarithm.
A seed ``s`` draws a task's truth from ``default_rng(1000 + s)`` and the targets' parameters from
``default_rng(s)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

START_STD = 0.4


@dataclass(frozen=True)
class Truth:
    """What is hidden, and where the estimator starts; ``(K,)`` arrays.

    Attributes
    ----------
    mean, std
        Of the distribution that targets are drawn from.
    correlation
        ``(K, K)``, of that distribution.
    start
        Means that the estimator starts from, each with the spread :data:`START_STD`.
    """

    mean: np.ndarray
    std: np.ndarray
    correlation: np.ndarray
    start: np.ndarray

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return parameters ``(count, K)``."""
        z = rng.normal(size=(count, len(self.mean)))
        return self.mean + self.std * (z @ np.linalg.cholesky(self.correlation).T)


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes
    ----------
    name, says
        Its identifier, and a phrase for the table.
    names
        The optimised parameters.
    truth
        Draws the truth with a generator.
    count
        Targets.
    seen_through
        What the targets are seen through: names of :mod:`.nuisances`, in the order of a camera.
    mean_within
        Every mean must come so near to that of the targets' own parameters.
    std_within
        Every spread must come so near to theirs, as a share of it; None where only means count.
    by_pictures
        Judge by the pictures (a classifier two-sample test), not by the parameters.
    within
        Renders that a seed may take to succeed.
    median
        Renders that the median of the seeds may take; None where there is no such bound.
    needed
        Share of seeds that must succeed.
    limit
        Renders after which one of our estimators is stopped.
    """

    name: str
    says: str
    truth: Callable[[np.random.Generator], Truth]
    names: tuple[str, ...] = ("m1", "m2")
    count: int = 64
    seen_through: tuple[str, ...] = ()
    mean_within: float = 0.05
    std_within: float | None = 0.2
    by_pictures: bool = False
    within: int = 600
    median: int | None = None
    needed: float = 1.0
    limit: int = 600


def _reference(rng: np.random.Generator) -> Truth:
    return Truth(np.array([2.25, 2.25]), np.array([0.1, 0.1]), np.eye(2), np.array([1.2, 3.0]))


def _random(rng: np.random.Generator) -> Truth:
    mean = rng.uniform(0.7, 3.0, 2)
    std = rng.uniform(0.05, 0.3, 2)
    return Truth(mean, std, np.eye(2), mean + rng.uniform(-1.5, 1.5, 2))


def _unequal(rng: np.random.Generator) -> Truth:
    return Truth(
        np.array([2.25, 2.25]),
        np.array([0.3, 0.05]),
        np.array([[1.0, 0.7], [0.7, 1.0]]),
        np.array([1.2, 3.0]),
    )


def _six(rng: np.random.Generator) -> Truth:
    """Seven lobes by seven, gently pinched; the start is a person's guess, off by up to 0.5."""
    mean = np.array([2.0, 2.0, 1.0, 1.2, 1.2, 1.0])
    std = np.array([0.1, 0.1, 0.15, 0.2, 0.2, 0.15])
    return Truth(mean, std, np.eye(6), mean + rng.uniform(-0.5, 0.5, 6))


def _nuisance(name: str, says: str, *names: str) -> Task:
    return Task(
        name,
        says,
        _reference,
        seen_through=names,
        mean_within=0.1,
        std_within=None,
        needed=0.9,
        within=2000,
        limit=2000,
    )


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            "reference",
            "the reference's experiment: two means 1.05 and 0.75 off",
            _reference,
            within=300,
            median=150,
        ),
        Task(
            "random",
            "random truths and starts, up to 1.5 off",
            _random,
            median=250,
            needed=0.95,
        ),
        Task(
            "unequal",
            "spreads 0.3 and 0.05, correlated by 0.7",
            _unequal,
            within=300,
            median=150,
        ),
        Task(
            "six",
            "six parameters, judged by the pictures",
            _six,
            names=("m1", "m2", "n1_1", "n2_1", "n1_2", "n2_2"),
            by_pictures=True,
            within=1500,
            limit=1500,
        ),
        Task("eight", "only 8 targets", _reference, count=8, mean_within=0.1, std_within=0.5),
        _nuisance("light", "targets in another light", "light"),
        _nuisance("exposure", "targets darker, by a gamma of 2.2", "exposure"),
        _nuisance("background", "targets before another background", "background"),
        _nuisance("shift", "targets 2 px to the right and 2 px down", "shift"),
        _nuisance("noise", "targets with noise of 8 levels", "noise"),
        _nuisance("jpeg", "targets through JPEG of quality 50", "jpeg"),
        _nuisance(
            "all",
            "targets through all of these",
            "light",
            "background",
            "shift",
            "exposure",
            "noise",
            "jpeg",
        ),
    )
}


def truth_of(task: Task, seed: int) -> Truth:
    """Return the task's truth for a seed."""
    return task.truth(np.random.default_rng(1000 + seed))


def targets_of(task: Task, seed: int) -> np.ndarray:
    """Return the parameters of the targets for a seed, ``(count, K)``."""
    return truth_of(task, seed).draw(task.count, np.random.default_rng(seed))
