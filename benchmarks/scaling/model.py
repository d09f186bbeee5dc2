# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of the time that a batch takes, and what it says of more workers than there are here.

The batch of ``B`` images is cut into ``P`` jobs, brought to ``N`` workers by ``C`` calls::

    T = s + c C + q P + (C / N) b + (P / N) (o + t)

``t`` is the time to render a job and known. ``s`` is serial, once a batch; ``c`` and ``q`` are
serial too, for each call and each job, in the process that hands them out; ``b`` and ``o`` are
what a call and a job cost a worker beside rendering, at the same time as other workers. These five
are fitted. Where ``P`` is no multiple of ``N`` the slowest worker has ``ceil(P / N)`` jobs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.rendering.workers.batch import WORTH_A_WORKER
from trainer.rendering.workers.on_ray.calls import HIDE

from .ways import Row

HEAVY_S = 0.1
"""An image that takes longer is taken for one of Blender's engines, which have a job for each."""


@dataclass(frozen=True)
class Model:
    """Seconds; see the module's text.

    Attributes
    ----------
    residuals
        ``(T measured - T predicted) / T measured``, a row each.
    """

    serial: float
    call: float
    job: float
    worker_call: float
    worker_job: float
    residuals: tuple[float, ...] = ()

    def seconds(self, job_s: float, jobs: int, workers: int, calls: float) -> float:
        """Return ``T``."""
        handing_out = self.call * calls + self.job * jobs
        rounds = math.ceil(jobs / workers)
        working = math.ceil(calls / workers) * self.worker_call
        return self.serial + handing_out + working + rounds * (self.worker_job + job_s)

    def most_workers(self, job_s: float, trip_s: float) -> float:
        """Return the workers that are as fast as jobs are handed out, however large the batch."""
        together = calls_for(job_s, trip_s)
        working = self.worker_job + job_s + self.worker_call / together
        return working / max(1e-9, self.job + self.call / together)


def calls_for(job_s: float, trip_s: float) -> int:
    """Return the jobs that one call brings where there are plenty."""
    return max(1, math.ceil(HIDE * trip_s / job_s))


def fit(rows: Sequence[Row]) -> Model:
    """Fit the model to rows of known render time, by least squares of the relative error.

    No cost is negative: the smallest one that came out so is left out and the others fitted again.
    """
    columns = np.array(
        [[1.0, r.calls, r.jobs, r.calls / r.workers, r.jobs / r.workers] for r in rows]
    )
    known = np.array([math.ceil(r.jobs / r.workers) * _job_s(r) for r in rows])
    measured = np.array([r.seconds for r in rows])
    kept = list(range(columns.shape[1]))
    while True:
        scaled = columns[:, kept] / measured[:, None]
        costs_kept, *_ = np.linalg.lstsq(scaled, (measured - known) / measured, rcond=None)
        if (costs_kept >= 0).all():
            break
        del kept[int(costs_kept.argmin())]
    costs = np.zeros(columns.shape[1])
    costs[kept] = costs_kept
    residuals = (measured - known - columns @ costs) / measured
    return Model(*costs.tolist(), residuals=tuple(residuals.tolist()))


def predictions(model: Model, images_s: Sequence[float], workers: int, trip_s: float) -> str:
    """Return a table: what so many workers are worth for renders that take so long."""
    lines = [
        f"| An image takes | Times one worker, batch 64, {workers} workers | Batch to have a job "
        f"each | Times one worker with it | with four times it | Workers that handing out keeps "
        f"busy |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for image_s in images_s:
        images = WORTH_A_WORKER if image_s < HEAVY_S else 1
        job_s, full = images * image_s, images * workers
        gains = [
            _gain(model, job_s, batch // images, workers, trip_s) for batch in (64, full, 4 * full)
        ]
        most = model.most_workers(job_s, trip_s)
        cells = [f"{gains[0]:.1f}", f"{full}", f"{gains[1]:.0f}", f"{gains[2]:.0f}", f"{most:,.0f}"]
        lines.append(f"| {_in_words(image_s)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(model: Model, job_s: float, jobs: int, workers: int, trip_s: float) -> float:
    one, many = (
        model.seconds(job_s, jobs, n, _calls(job_s, jobs, n, trip_s)) for n in (1, workers)
    )
    return one / many


def _calls(job_s: float, jobs: int, workers: int, trip_s: float) -> int:
    together = min(calls_for(job_s, trip_s), math.ceil(jobs / workers))
    return math.ceil(jobs / together)


def _job_s(row: Row) -> float:
    return row.image_s * row.batch / row.jobs


def _in_words(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1000 * seconds:g} ms"
