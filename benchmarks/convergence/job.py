# SPDX-License-Identifier: GPL-3.0-or-later
"""One run: a task, a contestant and a seed in, a record out.

A record is plain JSON: what was hidden and drawn, the history of means and spreads, the estimator's
last word and its time. It is judged later (:mod:`.score`), so that judging can change without new
runs.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch

from gdr_core.errors import GdrError
from gdr_core.families import Distribution
from trainer.estimators import Estimator
from trainer.estimators.probability_model import ProbabilityModel

from . import nuisances, pictures
from .contestants import CONTESTANTS
from .scene import Scene, rows_of
from .tasks import START_STD, TASKS, targets_of, truth_of

TIMED = 300
"""Renders over which an estimator's time is taken."""


@dataclass(frozen=True)
class Job:
    """What to run; the limit of renders is None for that of the table."""

    task: str
    contestant: str
    seed: int
    limit: int | None = None

    @property
    def renders(self) -> int:
        """Renders after which the run is stopped."""
        own = CONTESTANTS[self.contestant].budget or TASKS[self.task].limit
        return own if self.limit is None else min(own, self.limit)


def run(job: Job, scene: Scene) -> dict[str, Any]:
    """Run the job and return its record."""
    task = TASKS[job.task]
    truth, x = truth_of(task, job.seed), targets_of(task, job.seed)
    look_rng = np.random.default_rng(2000 + job.seed)
    targets = nuisances.see(scene, x, task.names, task.seen_through, look_rng)
    model = ProbabilityModel(
        {
            name: Distribution(mean=float(mean), std=START_STD)
            for name, mean in zip(task.names, truth.start, strict=True)
        }
    )
    generator = torch.Generator().manual_seed(job.seed)
    record = {
        "task": job.task,
        "contestant": job.contestant,
        "seed": job.seed,
        "limit": job.renders,
        "truth_mean": truth.mean.tolist(),
        "truth_std": truth.std.tolist(),
        "start": truth.start.tolist(),
        "drawn_mean": x.mean(0).tolist(),
        "drawn_std": x.std(0).tolist(),
        "drawn_correlation": np.corrcoef(x.T).tolist(),
    }
    estimator = CONTESTANTS[job.contestant].make(model, targets, generator)
    inspector = pictures.Inspector(scene, task, truth, job.seed, job.renders)
    record |= _optimise(estimator, model, scene, inspector, job.seed, job.renders)
    return record | {
        "differences": inspector.differences(model, targets),
        "ceiling": inspector.ceiling(x),
    }


def _optimise(
    estimator: Estimator,
    model: ProbabilityModel,
    scene: Scene,
    inspector: pictures.Inspector,
    seed: int,
    limit: int,
) -> dict[str, Any]:
    """Let the estimator go until it stops by itself, fails, or has had its renders."""
    history, notes, clock, error, report = [], [], _Clock(), None, None
    renders = 0
    while renders < limit:
        try:
            with clock:
                x = estimator.propose()
            rows = rows_of(x.numpy(), model.names, renders, seed, estimator.mismatched)
            images = scene.render_rows(rows)
            with clock:
                report = estimator.update(x, images)
        except Exception as failure:  # It is a failure of the estimator, whatever it is.
            traceback.print_exc()
            error = str(failure) if isinstance(failure, GdrError) else repr(failure)
            break
        renders += len(x)
        history.append(_line(renders, model, report.converged, clock))
        if report.note:
            notes.append({"renders": renders, "note": report.note})
        last = bool(report.converged) or renders >= limit
        inspector.look(model, renders, last)
        if last:
            break
    return {
        "renders": renders,
        "converged": bool(history) and bool(history[-1]["converged"]),
        "error": error,
        "notes": notes,
        "report": None if report is None else _plain(dataclasses.asdict(report)),
        "uncertainty": _uncertainty(estimator),
        "correlation": model.correlation.tolist(),
        "estimator_seconds": clock.seconds,
        "history": history,
        "checks": inspector.checks,
    }


def _line(
    renders: int, model: ProbabilityModel, converged: bool | None, clock: _Clock
) -> dict[str, Any]:
    return {
        "renders": renders,
        "mean": [round(value, 5) for value in model.mean.tolist()],
        "std": [round(value, 5) for value in model.std.tolist()],
        "converged": converged,
        "seconds": round(clock.seconds, 3),
    }


def _uncertainty(estimator: Estimator) -> dict[str, Any] | None:
    known = estimator.uncertainty()
    return None if known is None else _plain(msgspec.to_builtins(known))


def _plain(value: Any) -> Any:
    """Return what JSON can hold: NaN becomes None, what is unknown becomes its text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, bool | int | str | None) else str(value)


class _Clock:
    """Adds up the seconds spent inside ``with``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started
