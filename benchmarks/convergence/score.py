# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge records: was it found, after how many renders, and did the estimator know?

An estimate counts from the first time that it is within the task's tolerance *and stays so to the
end of the run*. The yardstick is the sample that the targets are, not the distribution they were
drawn from, which nobody could know better from so few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .job import TIMED
from .tasks import TASKS, Task

Z95 = 1.959964
"""Half the width of a 95 % interval in standard errors."""


@dataclass(frozen=True)
class Score:
    """How one run did.

    Attributes
    ----------
    kept
        Renders when the tolerance was first reached and kept to the end; None if it was not.
    touched
        Renders when it was first reached at all.
    success
        Whether it was kept, and soon enough.
    renders
        Renders made.
    stopped
        Whether the estimator stopped by itself.
    false_stop
        Whether it did so without having arrived.
    mean_error, std_error
        Largest of the final errors of means, and of spreads as a share of the drawn ones.
    covered, intervals
        How many of the estimator's 95 % intervals hold the hidden mean or spread, of how many.
    off
        Parameters whose mean or spread ended outside the tolerance.
    correlation_error
        Largest difference of a correlation from that of the drawn parameters.
    undetermined
        Parameters that the estimator says the pictures say nothing about.
    trade_offs
        Groups of parameters that it says can be exchanged, each as text.
    differences
        Sentences about what of the targets the renders do not match.
    noticed
        Renders when the estimator said that something about the targets is none of the parameters;
        None if it did not.
    accuracy
        Of a classifier that tells its renders from fresh targets, at the end; None if not tested.
    ceiling
        The same for the best that can be found, where pictures judge: ``accuracy``, ``low``.
    error
        Why the run broke off; None if it did not.
    seconds
        Time of the estimator over the first 300 renders, or over all if they were fewer.
    """

    kept: int | None
    touched: int | None
    success: bool
    renders: int
    stopped: bool
    false_stop: bool
    mean_error: float
    std_error: float
    covered: int
    intervals: int
    off: tuple[str, ...]
    correlation_error: float
    undetermined: tuple[str, ...]
    trade_offs: tuple[str, ...]
    differences: tuple[str, ...]
    noticed: int | None
    accuracy: float | None
    ceiling: dict[str, Any] | None
    error: str | None
    seconds: float


def judge(record: dict[str, Any], within: int | None = None) -> Score:
    """Judge a record; ``within`` replaces the renders that the task allows for a success."""
    task = TASKS[record["task"]]
    within = task.within if within is None else within
    mean_errors, std_errors = errors(record)
    if task.by_pictures:
        renders = [check["renders"] for check in record["checks"]]
        good = [check["low"] <= 0.5 for check in record["checks"]]
    else:
        renders = [line["renders"] for line in record["history"]]
        good = list(distance(record) <= 1.0)
    kept = None if record["error"] else first_kept(renders, good)
    covered, intervals = coverage(record)
    uncertainty = record["uncertainty"] or {}
    return Score(
        kept=kept,
        touched=next((n for n, ok in zip(renders, good, strict=True) if ok), None),
        success=kept is not None and kept <= within,
        renders=record["renders"],
        stopped=record["converged"],
        false_stop=record["converged"] and kept is None,
        mean_error=float(mean_errors[-1].max()) if len(mean_errors) else float("inf"),
        std_error=float(std_errors[-1].max()) if len(std_errors) else float("inf"),
        covered=covered,
        intervals=intervals,
        off=_off(task, mean_errors, std_errors),
        correlation_error=_correlation_error(record),
        undetermined=tuple(uncertainty.get("undetermined", ())),
        trade_offs=tuple(
            " with ".join(group["direction"]) for group in uncertainty.get("trade_offs", ())
        ),
        differences=tuple(record["differences"]),
        noticed=next((note["renders"] for note in record.get("notes", ())), None),
        accuracy=record["checks"][-1]["accuracy"] if record["checks"] else None,
        ceiling=record.get("ceiling"),
        error=record["error"],
        seconds=_seconds(record),
    )


def first_kept(renders: list[int], good: list[bool]) -> int | None:
    """Return when the last unbroken stretch of good estimates began, if it lasts to the end."""
    kept = None
    for count, ok in zip(reversed(renders), reversed(good), strict=True):
        if not ok:
            break
        kept = count
    return kept


def errors(record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return errors ``(T, K)`` of the means, and of the spreads as a share of the drawn ones."""
    count = len(record["drawn_mean"])
    mean = np.array([line["mean"] for line in record["history"]]).reshape(-1, count)
    std = np.array([line["std"] for line in record["history"]]).reshape(-1, count)
    return np.abs(mean - record["drawn_mean"]), np.abs(std / record["drawn_std"] - 1.0)


def distance(record: dict[str, Any]) -> np.ndarray:
    """Return how far off each estimate is in tolerances, ``(T,)``: up to 1 is within.

    An estimate that is no number is infinitely far off.
    """
    task: Task = TASKS[record["task"]]
    mean_errors, std_errors = errors(record)
    far = mean_errors.max(axis=1) / task.mean_within
    if task.std_within is not None:
        far = np.maximum(far, std_errors.max(axis=1) / task.std_within)
    return np.nan_to_num(far, nan=np.inf)


def coverage(record: dict[str, Any]) -> tuple[int, int]:
    """Return how many 95 % intervals hold the hidden value, and how many there are.

    An interval is as many standard errors wide as Student's t asks for with as many targets.
    """
    known = record["uncertainty"]
    if known is None or not record["history"]:
        return 0, 0
    held, wide = [], t95(TASKS[record["task"]].count - 1)
    for what in ("mean", "std"):
        rows = zip(record["history"][-1][what], record[f"truth_{what}"], known[what], strict=True)
        held += [abs(found - true) <= wide * error for found, true, error in rows if error]
    return sum(held), len(held)


def t95(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, for 5 degrees of freedom or more.

    The first terms of Cornish and Fisher's expansion (Abramowitz & Stegun, *Handbook of
    Mathematical Functions*, 1964, 26.7.5).
    """
    z = Z95
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _off(task: Task, mean_errors: np.ndarray, std_errors: np.ndarray) -> tuple[str, ...]:
    if not len(mean_errors):
        return task.names
    far = ~(mean_errors[-1] <= task.mean_within)
    if task.std_within is not None:
        far |= ~(std_errors[-1] <= task.std_within)
    return tuple(name for name, is_far in zip(task.names, far, strict=True) if is_far)


def _correlation_error(record: dict[str, Any]) -> float:
    found, drawn = np.array(record["correlation"]), np.array(record["drawn_correlation"])
    return float(np.abs(found - drawn).max())


def _seconds(record: dict[str, Any]) -> float:
    early = [line["seconds"] for line in record["history"] if line["renders"] <= TIMED]
    return early[-1] if early else record["estimator_seconds"]
