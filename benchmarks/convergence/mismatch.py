# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the regression takes targets for differently lit, rightly and wrongly, and how soon.

    python -m benchmarks.convergence.mismatch --seeds 1000-1199
    python -m benchmarks.convergence.mismatch --seeds 0-19 --tasks light,exposure,shift,all

``demo`` is the program's own demo, with the targets and the start that it has for a seed:
``gdr optimize --hidden m1=2.25:0.1 --hidden m2=2.25:0.1 --seed N``. All others are tasks of the
table (:mod:`.tasks`), with the table's targets. A run ends when it is converged, says that no
render can be like the targets, or has made 600 renders.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gdr_core.families import Distribution
from trainer.estimators import Estimator
from trainer.estimators.probability_model import ProbabilityModel

from . import nuisances
from .contestants import CONTESTANTS
from .scene import Scene, rows_of
from .tasks import START_STD, TASKS, targets_of, truth_of

LIMIT = 600
DEMO = "demo"
PER_TASK = 4
"""Runs that a process makes at a time."""


@dataclass(frozen=True)
class Verdict:
    """How a run ended.

    Attributes
    ----------
    task, seed
        Which run.
    renders
        Renders made until then.
    noticed
        Whether the estimator said that no render can be like the targets.
    converged
        Whether it stopped by itself.
    off
        The worst mean's distance from that of the targets' own parameters, in internal units.
    """

    task: str
    seed: int
    renders: int
    noticed: bool
    converged: bool
    off: float


def run(task: str, seed: int, scene: Scene) -> Verdict:
    """Make one run."""
    make = _demo if task == DEMO else _of_the_table
    estimator, model, drawn = make(task, seed, scene)
    renders, report = 0, None
    while renders < LIMIT and not (report and (report.converged or report.note)):
        x = estimator.propose()
        rows = rows_of(x.numpy(), model.names, renders, seed, estimator.mismatched)
        report = estimator.update(x, scene.render_rows(rows))
        renders += len(x)
    off = np.abs(model.mean.detach().numpy() - drawn.mean(0)).max()
    return Verdict(task, seed, renders, bool(report.note), bool(report.converged), float(off))


def _demo(_: str, seed: int, scene: Scene) -> tuple[Estimator, ProbabilityModel, np.ndarray]:
    """Return the estimator, its model, and the targets' parameters ``(64, 2)``."""
    # The program's seeds of the targets and of the estimator (trainer.run.optimization).
    states = [int(s.generate_state(1, np.uint64)[0]) for s in np.random.SeedSequence(seed).spawn(3)]
    targets, estimator, _ = (torch.Generator().manual_seed(state >> 1) for state in states)
    hidden = {name: Distribution(mean=2.25, std=0.1) for name in ("m1", "m2")}
    x = ProbabilityModel(hidden).sample(64, targets).numpy()
    images = scene.render(x, tuple(hidden))
    model = _model(("m1", "m2"), (1.2, 3.0))
    return _regression(model, images, estimator), model, x


def _of_the_table(
    name: str, seed: int, scene: Scene
) -> tuple[Estimator, ProbabilityModel, np.ndarray]:
    """As :func:`_demo`, with the targets that :mod:`.job` makes."""
    task, x = TASKS[name], targets_of(TASKS[name], seed)
    rng = np.random.default_rng(2000 + seed)
    images = nuisances.see(scene, x, task.names, task.seen_through, rng)
    model = _model(task.names, truth_of(task, seed).start)
    return _regression(model, images, torch.Generator().manual_seed(seed)), model, x


def _model(names: tuple[str, ...], start: tuple[float, ...]) -> ProbabilityModel:
    starts = (Distribution(mean=float(mean), std=START_STD) for mean in start)
    return ProbabilityModel(dict(zip(names, starts, strict=True)))


def _regression(
    model: ProbabilityModel, images: np.ndarray, generator: torch.Generator
) -> Estimator:
    return CONTESTANTS["regression"].make(model, images, generator)


def summary(task: str, verdicts: list[Verdict]) -> str:
    """Return a line about a task's runs."""
    noticed = [verdict for verdict in verdicts if verdict.noticed]
    converged = [verdict for verdict in verdicts if verdict.converged]
    rightly = task != DEMO and TASKS[task].seen_through
    share = f"{len(noticed)} of {len(verdicts)}"
    said = f"{task}: {share} taken for differently lit" + _renders(noticed)
    said += f"; {len(converged)} converged" + _renders(converged)
    if noticed and not rightly:
        said += f"; wrong: seeds {', '.join(str(verdict.seed) for verdict in noticed)}"
    return said + (f"; worst mean off by {max(v.off for v in converged):.3f}" if converged else "")


def _renders(verdicts: list[Verdict]) -> str:
    if not verdicts:
        return ""
    renders = [verdict.renders for verdict in verdicts]
    return f" after {statistics.median(renders):.0f} renders in the median, {max(renders)} at most"


_scene: Scene | None = None


def _begin() -> None:
    global _scene
    torch.set_num_threads(1)
    _scene = Scene()


def _run(job: tuple[str, int]) -> Verdict:
    return run(*job, _scene)


def _verdicts(jobs: list[tuple[str, int]], processes: int) -> Iterator[Verdict]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin) as pool:
        yield from pool.map(_run, jobs, chunksize=PER_TASK)


def main(arguments: list[str]) -> int:
    """Run all and print a line a task; return 1 where a run was wrong."""
    parser = argparse.ArgumentParser("python -m benchmarks.convergence.mismatch")
    parser.add_argument("--tasks", default=DEMO, help=f"by commas, of {DEMO} and the table's")
    parser.add_argument("--seeds", default="0-99", metavar="FIRST-LAST")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--csv", type=Path, help="a file for a line a run")
    args = parser.parse_args(arguments)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    first, last = (int(seed) for seed in args.seeds.split("-"))
    tasks = args.tasks.split(",")
    jobs = [(task, seed) for task in tasks for seed in range(first, last + 1)]
    verdicts = []
    for verdict in _verdicts(jobs, args.jobs):
        verdicts.append(verdict)
        print(f"{len(verdicts)}/{len(jobs)} {verdict}", file=sys.stderr, flush=True)
    wrong = False
    for task in tasks:
        own = [verdict for verdict in verdicts if verdict.task == task]
        print(summary(task, own))
        wrong |= any(v.noticed for v in own) and not (task != DEMO and TASKS[task].seen_through)
    if args.csv:
        lines = [",".join(Verdict.__dataclass_fields__)]
        lines += [",".join(str(value) for value in vars(verdict).values()) for verdict in verdicts]
        args.csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
