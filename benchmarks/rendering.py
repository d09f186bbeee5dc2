# SPDX-License-Identifier: GPL-3.0-or-later
"""How many images a second the renderers make, against the reference's way of rendering.

The reference's way (blendtorch's ``densityopt`` example): for each image
``supershape.supercoords`` and ``supershape.update_bpy_mesh`` on a 100 x 100 grid, then
``draw_view3d`` in Solid mode with the viewport's default 8 anti-aliasing samples, then reading the
picture.

All ways take turns within one process, so that other load falls on each of them alike, and draw
the same shapes: those of the reference's experiment.

    python benchmarks/rendering.py --markdown rendering.md --json rendering.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

import bpy  # noqa: E402
import numpy as np  # noqa: E402
import supershape  # noqa: E402
from gdr.gdr_addon.renderers import make_renderer  # noqa: E402
from gdr.gdr_addon.renderers.context import describe, release_meshes  # noqa: E402
from gdr.gdr_addon.renderers.viewport import Viewport  # noqa: E402
from gdr.gdr_core.camera import Camera  # noqa: E402
from gdr.gdr_core.parameters import INDEX, defaults  # noqa: E402

REFERENCE = "reference's way"


class ReferenceWay:
    """``solid`` as the reference has it: with the mesh functions of the ``supershape`` package."""

    def __init__(self, camera: Camera, grid: tuple[int, int], samples: int) -> None:
        self._grid = grid
        scene = bpy.data.scenes.new(REFERENCE)
        self._shape = supershape.make_bpy_mesh(grid, coll=scene.collection)
        self._viewport = Viewport(scene, camera, samples)

    def render(self, parameters: np.ndarray, size: int) -> np.ndarray:
        """Return ``(N, size, size, 3)`` uint8 images, first row on top."""
        images = np.empty((len(parameters), size, size, 3), dtype=np.uint8)
        with self._viewport.open(size) as draw:
            for image, row in zip(images, parameters, strict=True):
                x, y, z = supershape.supercoords(row.reshape(2, 6), shape=self._grid)
                supershape.update_bpy_mesh(x, y, z, self._shape)
                draw(image, None)
        return images


def shapes(count: int, seed: int = 0) -> np.ndarray:
    """Return ``(count, 12)`` shapes around the truth of the reference's experiment."""
    rng = np.random.default_rng(seed)
    batch = np.tile(defaults(), (count, 1))
    for name in ("m1", "m2"):
        batch[:, INDEX[name]] = np.exp(rng.normal(2.25, 0.4, count))
    return batch


def measure(
    ways: dict[str, Callable[[], object]], images: int, repetitions: int
) -> dict[str, list[float]]:
    """Return images a second of every repetition of every way, taken in turns."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # Shaders are compiled and buffers made now.
    for _ in range(repetitions):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            rates[name].append(images / (time.perf_counter() - started))
            release_meshes()
    return rates


def run(batch: int, size: int, repetitions: int) -> dict:
    """Return the measured figures and where they were measured."""
    camera = Camera.reference()
    renderers = {
        "fast, 50 x 50": make_renderer("fast", camera=camera, grid=(50, 50)),
        "fast, 50 x 50, 4 samples": make_renderer("fast", camera=camera, grid=(50, 50), samples=4),
        "fast, 100 x 100": make_renderer("fast", camera=camera, grid=(100, 100)),
        "solid, 50 x 50, 1 sample": make_renderer("solid", camera=camera, grid=(50, 50)),
        REFERENCE: ReferenceWay(camera, (100, 100), 8),
    }
    parameters = shapes(batch)
    ways = {
        name: lambda renderer=renderer: renderer.render(parameters, size)
        for name, renderer in renderers.items()
    }
    rates = measure(ways, batch, repetitions)
    base = statistics.median(rates[REFERENCE])
    rows = [
        {
            "way": name,
            "images_per_second": statistics.median(found),
            "slowest": min(found),
            "fastest": max(found),
            "times_reference": statistics.median(found) / base,
        }
        for name, found in rates.items()
    ]
    device = describe()
    return {
        "batch": batch,
        "size": size,
        "repetitions": repetitions,
        "blender": bpy.app.version_string,
        "gpu": f"{device['renderer']} ({device['backend']})",
        "cpu_cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "rows": rows,
    }


def as_markdown(result: dict) -> str:
    """Return the figures as a table."""
    lines = [
        f"{result['batch']} shapes of {result['size']} px a batch, median of "
        f"{result['repetitions']} repetitions taken in turns. Blender {result['blender']}, "
        f"{result['gpu']}, {result['cpu_cores']} CPU cores, {result['system']}.",
        "",
        "| Renderer | Images a second | Slowest to fastest | Times the reference's way |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| {row['way']} | {row['images_per_second']:.0f} "
        f"| {row['slowest']:.0f} to {row['fastest']:.0f} | {row['times_reference']:.1f} |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64, help="images a batch")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    parser.add_argument("--repetitions", type=int, default=5, help="batches of each way")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    arguments = parser.parse_args()
    result = run(arguments.batch, arguments.size, arguments.repetitions)
    table = as_markdown(result)
    sys.stdout.write(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
