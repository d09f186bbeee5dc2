# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the images of a grid differ from those of a far finer one, in levels of 255.

    python -m benchmarks.rendering.grids

The mean over all pixels of an image, and of that the mean and the 99th percentile over shapes.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from gdr.gdr_addon.renderers import make_renderer  # noqa: E402
from gdr.gdr_core.supershape.resolution import automatic_grid  # noqa: E402

from .shapes import around_truth, scene, smooth, spiky, wild  # noqa: E402

SIZES = (32, 64, 128, 256, 512)
SIDES = (50, 100, 150, 200)
FINE = 500
PIXELS = 800_000
"""Pixels of each kind of shape and size: 200 images of 64 pixels."""

KINDS: dict[str, Callable[[int], np.ndarray]] = {
    "the truth, spread 0.1": lambda count: around_truth(count, 0.1),
    "the reference's start, spread 0.4": lambda count: around_truth(count, 0.4),
    "all parameters, frequencies to 6": smooth,
    "all parameters, frequencies to 20": wild,
    "spiky, frequencies 10 to 20": spiky,
}


def rendered(shapes: np.ndarray, side: int, size: int) -> np.ndarray:
    """Return the images of a grid."""
    renderer = make_renderer(scene((side, side), size), "fast")
    try:
        return renderer.render(shapes, size).astype(np.int16)
    finally:
        renderer.free()


def row(kind: str, size: int) -> str:
    """Return a line of the table."""
    shapes = KINDS[kind](int(np.clip(PIXELS // size**2, 12, 300)))
    fine = rendered(shapes, FINE, size)
    cells = [kind, str(size)]
    for side in (*SIDES, automatic_grid(size)[0]):
        off = np.abs(rendered(shapes, side, size) - fine).mean(axis=(1, 2, 3))
        cells.append(f"{off.mean():.2f} ({np.quantile(off, 0.99):.1f})")
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Print the table as it is made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pixels along a side")
    arguments = parser.parse_args()
    sides = " | ".join(f"{side} x {side}" for side in SIDES)
    sys.stdout.write(f"| Shapes | px | {sides} | automatic |\n|---|---:|{'---:|' * 5}\n")
    for size in arguments.sizes:
        for kind in KINDS:
            sys.stdout.write(row(kind, size))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
