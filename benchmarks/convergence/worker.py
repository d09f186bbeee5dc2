# SPDX-License-Identifier: GPL-3.0-or-later
"""Does jobs in one process until none is left, and the starting of several such processes."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence

import torch

from blendtorch import lifeline

from .job import Job, run
from .scene import ROOT, Scene
from .sources import fingerprint
from .store import Store

LOG = "workers.log"
"""File in the store's folder: what the workers print."""
_LOOK_S = 0.5


def work(jobs: Sequence[Job], store: Store) -> None:
    """Do what is not done and what no other process is at. A job that breaks is left out.

    An estimator that breaks is no broken job: that is recorded.
    """
    torch.set_num_threads(1)
    sources = fingerprint()  # Now, as later the files may have changed.
    scene = None
    for job in jobs:
        if store.has(job):
            continue
        with store.claim(job) as mine:
            if not mine or store.has(job):
                continue
            scene = scene or Scene()
            try:
                store.write(job, run(job, scene) | {"sources": sources})
            except Exception:
                print(f"{job} broke:", file=sys.stderr)
                traceback.print_exc()


def work_in_parallel(jobs: Sequence[Job], store: Store, count: int, arguments: list[str]) -> None:
    """Do the jobs in several processes, which end when this one does.

    Parameters
    ----------
    count
        Processes.
    arguments
        Of this program, which give a worker the same jobs.
    """
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "benchmarks.convergence", *arguments, "--worker"]
    store.folder.mkdir(parents=True, exist_ok=True)
    # Graphics drivers chatter.
    with (store.folder / LOG).open("ab") as log:
        workers = [
            lifeline.spawn(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
            for _ in range(count)
        ]
        try:
            _watch(workers, jobs, store)
        finally:
            lifeline.stop(workers)


def _watch(workers: list, jobs: Sequence[Job], store: Store) -> None:
    """Say how far it is, until all workers have ended."""
    done, started = {job for job in jobs if store.has(job)}, time.monotonic()
    while any(worker.poll() is None for worker in workers):
        time.sleep(_LOOK_S)
        for job in jobs:
            if job not in done and store.has(job):
                done.add(job)
                print(
                    f"{len(done)}/{len(jobs)} {job.task}, {job.contestant}, seed {job.seed} "
                    f"({time.monotonic() - started:.0f} s)",
                    flush=True,
                )
