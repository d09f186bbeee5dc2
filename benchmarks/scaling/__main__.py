# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, fit and print; see the package's text."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The actors' processes must find this code, with Ray's workers as urgent as local ones.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
)
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")

import numpy as np  # noqa: E402
import ray  # noqa: E402

from trainer.rendering import blender  # noqa: E402
from trainer.rendering.workers.dispatcher import Dispatcher  # noqa: E402
from trainer.rendering.workers.local_transport import LocalTransport  # noqa: E402
from trainer.rendering.workers.notices import Notices  # noqa: E402
from trainer.rendering.workers.on_ray.transport import RayTransport  # noqa: E402

from . import model, ways  # noqa: E402
from .ways import Case, CountedCalls, Row, Way  # noqa: E402

log = logging.getLogger(__name__)

WORKERS = (1, 2, 4)
SINGLE = "ray, one job a call"
WARM_UP_S = 120.0
PREDICTED_S = (0.005, 0.5, 30.0)
PREDICTED_WORKERS = (64, 1024)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks.scaling", description=__doc__)
    parser.add_argument(
        "--repetitions", type=int, default=15, help="turns of each way; of slow ones fewer (15)"
    )
    parser.add_argument(
        "--fast", action="store_true", help="only the fast renderer, with one and two workers"
    )
    parser.add_argument("--out", metavar="FILE", help="write what was measured, as JSON")
    options = parser.parse_args()
    many = options.repetitions
    cases = [
        Case(None, 64, many),
        Case(None, 64, max(3, many // 2), stream=True),
        Case(0.001, 64, many),
        Case(0.001, 64, max(3, many // 2), stream=True),
        Case(0.005, 64, many),
        Case(0.005, 256, max(3, many // 3)),
        Case(0.05, 64, max(3, many // 5)),
    ]
    counts = WORKERS
    if options.fast:
        cases, counts = cases[:2], (1, 2)
    blender.WORKER_SCRIPT = Path(__file__).with_name("worker.py")
    ray.init("local", num_cpus=8, include_dashboard=False, log_to_driver=False)
    try:
        with tempfile.TemporaryDirectory(prefix="gdr-") as logs, contextlib.ExitStack() as stack:
            compared = _ways(stack, Path(logs), counts)
            rows = [row for case in cases for row in ways.measure(compared, case)]
            trip_s = next(
                way.pool.transport.call_size.trip_s for way in compared if way.kind == "ray"
            )
        pending = {many: ways.pending_s(ray, many) for many in (8, 128, 2048)}
    finally:
        ray.shutdown()
    _print(rows, trip_s, pending)
    if options.out:
        measured = {"rows": [asdict(row) for row in rows], "trip_s": trip_s, "pending_s": pending}
        Path(options.out).write_text(json.dumps(measured, indent=1), encoding="utf-8")


def _ways(stack: contextlib.ExitStack, logs: Path, counts: tuple[int, ...]) -> list[Way]:
    """Open all pools, and render with each until all of its workers are warm."""
    opened = []
    for count in counts:
        notices, here = Notices(log.warning), ways.settings("local", count)
        local = Dispatcher(
            here, LocalTransport(here, logs / f"local-{count}", notices), lambda: None
        )
        stack.callback(local.close)
        there = ways.settings("ray", count)
        cluster = Dispatcher(there, RayTransport(there, notices), lambda: None)
        stack.callback(cluster.close)
        cluster.transport.call_size = CountedCalls()
        opened += [
            Way("local", count, local),
            Way("ray", count, cluster),
            Way(SINGLE, count, cluster),
        ]
    for way in opened:
        batch = Case(None, 64, 1).rows()
        way.pool.render(batch)
        deadline = time.monotonic() + WARM_UP_S
        while not all(worker.ready for worker in way.pool.workers):
            if time.monotonic() > deadline:
                raise TimeoutError(f"Not all workers started within {WARM_UP_S:.0f} seconds.")
            way.pool.render(batch)
        for _ in range(5):
            way.pool.render(batch)
    return opened


def _print(rows: list[Row], trip_s: float, pending: dict[int, float]) -> None:
    print(_table([row for row in rows if row.kind != SINGLE]))
    for kind in ("local", "ray"):
        timed = [
            row
            for row in rows
            if row.image_s is not None and row.kind.startswith(kind) and not row.stream
        ]
        if not timed:
            continue
        fitted = model.fit(timed)
        away = np.abs(fitted.residuals)
        print(
            f"\nModel of {kind}, {len(timed)} rows: s = {1e3 * fitted.serial:.2f} ms, "
            f"c = {1e3 * fitted.call:.2f} ms a call, q = {1e3 * fitted.job:.2f} ms a job, "
            f"b = {1e3 * fitted.worker_call:.2f} ms a call and o = "
            f"{1e3 * fitted.worker_job:.2f} ms a job in their worker; residuals "
            f"{np.sqrt((away**2).mean()):.1%} rms, {away.max():.1%} at most."
        )
        for row, residual in zip(timed, fitted.residuals, strict=True):
            print(
                f"  {row.kind:20} {row.workers} workers, {1e3 * row.image_s:g} ms, batch "
                f"{row.batch}: {1e3 * row.seconds:.1f} ms in {row.calls:.2g} calls, {residual:+.1%}"
            )
        if kind == "ray":
            for workers in PREDICTED_WORKERS:
                print(f"\n{model.predictions(fitted, PREDICTED_S, workers, trip_s)}")
    waits = ", ".join(f"{1e3 * seconds:.2f} ms for {many}" for many, seconds in pending.items())
    print(
        f"\nA call takes {1e3 * trip_s:.1f} ms besides its work. A look at answers that are still "
        f"to come takes {waits}.\n64 px, medians of turns of {ways.TURN_S:g} s at least; "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Ray {ray.__version__}, "
        f"Python {platform.python_version()}, {ways.load()}."
    )


def _table(rows: list[Row]) -> str:
    lines = [
        "| An image takes | Batch | Pool | Workers | Images a second | Times one worker | "
        "Ray to local | Calls a batch | CPU ms a batch here |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    alone = {(r.image_s, r.batch, r.stream, r.kind): r.seconds for r in rows if r.workers == 1}
    for row in rows:
        takes = "fast" if row.image_s is None else f"{1e3 * row.image_s:g} ms"
        takes += ", stream" * row.stream
        gain = alone[row.image_s, row.batch, row.stream, row.kind] / row.seconds
        ratio = "" if row.kind == "local" else f"{row.ratio:.2f}"
        lines.append(
            f"| {takes} | {row.batch} | {row.kind} | {row.workers} | {row.batch / row.seconds:.0f} "
            f"| {gain:.2f} | {ratio} | {row.calls:.2g} | {1e3 * row.cpu_s:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
