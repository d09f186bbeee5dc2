# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, print the table, and write what was asked for."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import torch

from trainer.rendering import blender

from .report import REFERENCE, Measured, as_markdown, figures
from .shapes import around_truth
from .shares import curve_seconds, shares
from .ways import TURN_S, OurWay, ReferenceWay, Way, take_turn

FAST = {
    "fast, 50 x 50": ((50, 50), 1),
    "fast, 50 x 50, 4 samples": ((50, 50), 4),
    "fast, 100 x 100": ((100, 100), 1),
}
"""Grid and samples."""
SOLID = "solid, 50 x 50, 1 sample"


def run(batch: int, size: int, repetitions: int, folder: Path) -> dict:
    """Return the measured figures and where they were measured."""
    rows = around_truth(batch)
    with contextlib.ExitStack() as stack:

        def opened(way: Way) -> Way:
            stack.callback(way.close)
            return way

        ways: dict[str, Way] = {
            name: opened(OurWay(size, folder / name, grid=grid, samples=samples))
            for name, (grid, samples) in FAST.items()
        }
        ways[SOLID] = opened(
            OurWay(size, folder / "solid", renderer="solid", grid=(50, 50), samples=1)
        )
        ways[REFERENCE] = opened(ReferenceWay(size, folder / "reference"))
        found = {name: Measured() for name in ways}
        for way in ways.values():
            way.render(rows)  # Shaders are compiled and buffers made now.
        for _ in range(repetitions):
            for name, way in ways.items():
                total, processor, rendering = take_turn(way, rows)
                found[name].total.append(total)
                found[name].processor.append(processor)
                found[name].rendering.append(rendering)
    for name in FAST:
        one = found[name]
        one.shares = shares(one.total, one.rendering, curve_seconds(rows, ways[name].grid))
    return figures(found, batch, size, _device())


def _device() -> str:
    probe = blender.probe(blender.find())
    return f"Blender {probe.blender}, {probe.device}"


def main() -> None:
    """Measure, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description="How many images a second the renderers make.")
    parser.add_argument("--batch", type=int, default=64, help="images a batch")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    parser.add_argument(
        "--repetitions", type=int, default=9, help=f"turns of each way, of {TURN_S:g} s at least"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # The trainer computes nothing here.
    with tempfile.TemporaryDirectory(prefix="gdr-bench-") as folder:
        result = run(arguments.batch, arguments.size, arguments.repetitions, Path(folder))
    table = as_markdown(result)
    sys.stdout.write(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
