# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the render workers of one computer are together, and where the time goes.

    python benchmarks/workers.py [--workers 2] [--batch 64] [--size 64] [--renderer fast]

Pools of one worker, on its share of the cores and on all of them, with one and with two requests in
flight, and of more workers are open side by side and take turns of half a second, so that other
load falls on all of them alike; the ratio of the medians is what carries over. Batches are rendered
one after the other, each once the last one is here, as an estimator asks for them; and in a stream,
as ``gdr render`` asks for them. The shares are those
of single requests to a worker that has nothing else to do: *rendering* is the worker's own clock,
*Python* the processor time of the pool's thread, *transfer* the rest, which is the sockets and what
the worker does before and after it renders.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from gdr_core.settings import (  # noqa: E402
    RENDERERS,
    RenderSettings,
    RunSettings,
    SceneSettings,
    TrainingSettings,
)
from gdr_core.supershape.parameters import INDEX  # noqa: E402
from trainer.rendering.workers.choice import physical_cores  # noqa: E402
from trainer.rendering.workers.dispatcher import Dispatcher  # noqa: E402
from trainer.rendering.workers.local_transport import LocalTransport  # noqa: E402
from trainer.rendering.workers.notices import Notices  # noqa: E402

log = logging.getLogger(__name__)

TURN_S = 0.5
WARM_UP_S = 120.0


@dataclass
class Way:
    """One way to render, and the seconds that each of its batches took."""

    name: str
    pool: Dispatcher
    workers: int
    seconds: list[float] = field(default_factory=list)
    streamed: list[float] = field(default_factory=list)
    rendering: list[float] = field(default_factory=list)

    def render(self, rows: np.ndarray) -> None:
        """Render batches one after the other and keep the time of one."""
        before, started = self.pool.seconds_rendering, time.perf_counter()
        batches, took = 0, 0.0
        while took < TURN_S:
            self.pool.render(rows)
            batches += 1
            took = time.perf_counter() - started
        self.seconds.append(took / batches)
        self.rendering.append((self.pool.seconds_rendering - before) / (took * self.workers))

    def stream(self, rows: np.ndarray) -> None:
        """Render as many batches in a stream as took a turn, twice over."""
        batches = max(2, round(2 * TURN_S / self.seconds[-1]))
        started = time.perf_counter()
        for _ in self.pool.stream(np.tile(rows, (batches, 1))):
            pass
        self.streamed.append((time.perf_counter() - started) / batches)


def random_rows(count: int) -> np.ndarray:
    """Return ``(count, P)`` rows of the supershape."""
    batch = np.tile(SceneSettings().resolve().row(), (count, 1))
    for seed, name in enumerate(("m1", "m2")):
        batch[:, INDEX[name]] = np.exp(np.random.default_rng(seed).normal(2.25, 0.4, count))
    return batch


def shares(pool: Dispatcher, repetitions: int) -> dict[str, float]:
    """Return the shares of a single request's time: medians of so many, which add up to 1."""
    # As few images as make one job, so that there is nothing to wait for but its answer.
    one = random_rows(1)
    measured = []
    for _ in range(repetitions):
        rendered, started, thread = pool.seconds_rendering, time.perf_counter(), time.thread_time()
        pool.render(one)
        python, total = time.thread_time() - thread, time.perf_counter() - started
        rendering = pool.seconds_rendering - rendered
        measured.append((rendering, max(0.0, total - rendering - python), python))
    middle = [statistics.median(column) for column in zip(*measured, strict=True)]
    return dict(
        zip(("rendering", "transfer", "Python"), np.array(middle) / sum(middle), strict=True)
    )


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="to compare with one (2)")
    parser.add_argument("--batch", type=int, default=64, help="images a batch (64)")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side (64)")
    parser.add_argument("--renderer", choices=RENDERERS, default="fast", help="(fast)")
    parser.add_argument("--grid", type=int, default=50, help="of the surface (50)")
    parser.add_argument("--repetitions", type=int, default=15, help="batches of each way (15)")
    options = parser.parse_args()
    batch = random_rows(options.batch)
    with (
        tempfile.TemporaryDirectory(prefix="gdr-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):

        def way(name: str, workers: int, in_flight: int = 2, share: int = 1) -> Way:
            settings = RunSettings(
                scene=SceneSettings(options={"grid": (options.grid, options.grid)}),
                training=TrainingSettings(size=options.size),
                rendering=RenderSettings(renderer=options.renderer, workers=workers),
            )
            logs = Path(folder) / name.replace(" ", "-")
            cores = physical_cores() / share
            transport = LocalTransport(settings, logs, Notices(log.warning), cores)
            pool = Dispatcher(settings, transport, lambda: None, in_flight)
            return Way(name, stack.enter_context(contextlib.closing(pool)), workers)

        ways = [
            way(f"1 worker on 1/{options.workers} of the cores", 1, share=options.workers),
            way("1 worker, 1 in flight", 1, in_flight=1),
            way("1 worker", 1),
            way(f"{options.workers} workers", options.workers),
        ]
        for one in ways:
            _warm_up(one.pool, batch)
        for _ in range(options.repetitions):
            for one in ways:
                one.render(batch)
                one.stream(batch)
        print(_table(ways, options.batch))
        measured = shares(ways[2].pool, 3 * options.repetitions)
        said = ", ".join(f"{share:.0%} {name}" for name, share in measured.items())
        print(f"\nOne request of one image at a time: {said}.")
    print(
        f"\n{options.renderer}, {options.grid} x {options.grid}, {options.size} px, batches of "
        f"{options.batch}, two in flight, medians of {options.repetitions} "
        f"taken in turns; {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        f"{_load()}."
    )


def _warm_up(pool: Dispatcher, batch: np.ndarray) -> None:
    """Render until every worker has rendered."""
    deadline = time.monotonic() + WARM_UP_S
    while not all(worker.ready and worker.rendered for worker in pool.workers):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not all workers rendered within {WARM_UP_S:.0f} seconds.")
        pool.render(batch)


def _table(ways: list[Way], images: int) -> str:
    lines = [
        "| Pool | Batch after batch, images a second | Slowest to fastest | Times the first | "
        "Workers rendering | In a stream, images a second | Slowest to fastest | Times the first |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for way in ways:
        cells = [
            *_speeds(way.seconds, ways[0].seconds, images),
            f"{statistics.median(way.rendering):.0%}",
            *_speeds(way.streamed, ways[0].streamed, images),
        ]
        lines.append(f"| {way.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _speeds(seconds: list[float], first: list[float], images: int) -> list[str]:
    return [
        f"{images / statistics.median(seconds):.0f}",
        f"{images / max(seconds):.0f} to {images / min(seconds):.0f}",
        f"{statistics.median(first) / statistics.median(seconds):.2f}",
    ]


def _load() -> str:
    return f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


if __name__ == "__main__":
    main()
