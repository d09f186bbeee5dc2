# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image costs with each renderer, in milliseconds.

Each renderer takes its own number of samples. All take turns within one process, so that other load
falls on each of them alike, and draw the same shapes, those of the reference's experiment. What a
renderer does once (EEVEE compiles its shaders) is not counted and has a column of its own.

    python benchmarks/engines.py --markdown engines.md
    blender --background --factory-startup --python benchmarks/engines.py -- --repeat 3
"""

from __future__ import annotations

import argparse
import runpy
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

import bpy  # noqa: E402
import numpy as np  # noqa: E402
from gdr.gdr_addon.renderers import Renderer, make_renderer  # noqa: E402
from gdr.gdr_addon.renderers.context import describe  # noqa: E402
from gdr.gdr_core.sampling import SAMPLES  # noqa: E402
from gdr.gdr_core.settings import RENDERERS, RunSettings  # noqa: E402
from gdr.gdr_core.supershape.parameters import INDEX, defaults  # noqa: E402

SIZES = (64, 256)
SCENE = RunSettings().filled().scene.resolve()
BATCH = {"fast": 64, "solid": 64, "workbench": 16, "eevee": 4, "cycles": 4}
"""Images in one measurement: enough to measure, few enough to take turns."""


def main() -> None:
    """Measure, and print the table."""
    arguments = _arguments()
    device = describe()
    made = {name: make_renderer(SCENE, name) for name in arguments.renderers}
    shapes = _shapes(max(BATCH.values()))
    first = {name: _seconds(renderer, shapes[:1], SIZES[0]) for name, renderer in made.items()}
    costs: dict[tuple[str, int], list[float]] = {}
    for size in SIZES:
        for renderer in made.values():
            _seconds(renderer, shapes[:1], size)
        for _ in range(arguments.repeat):
            for name, renderer in made.items():
                batch = shapes[: BATCH[name]]
                seconds = _seconds(renderer, batch, size)
                costs.setdefault((name, size), []).append(1000.0 * seconds / len(batch))
    for renderer in made.values():
        renderer.free()
    table = _table(costs, first)
    print(f"Blender {device['blender']}, {device['renderer']}, {arguments.repeat} repetitions")
    print(table)
    if arguments.markdown:
        arguments.markdown.write_text(table, encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--renderers", nargs="+", choices=RENDERERS, default=RENDERERS)
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each (5)")
    parser.add_argument("--markdown", type=Path, help="write the table here too")
    inside = Path(bpy.app.binary_path).name.lower().startswith("blender")
    argv = sys.argv[1:]
    if inside:  # Blender's own arguments end at "--".
        argv = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    return parser.parse_args(argv)


def _shapes(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    batch = np.tile(defaults(), (count, 1))
    for name in ("m1", "m2"):
        batch[:, INDEX[name]] = np.exp(rng.normal(2.25, 0.1, count))
    return np.column_stack((batch, np.zeros(count)))  # In the scene's own light.


def _seconds(renderer: Renderer, batch: np.ndarray, size: int) -> float:
    started = time.perf_counter()
    renderer.render(batch, size)
    return time.perf_counter() - started


def _table(costs: dict[tuple[str, int], list[float]], first: dict[str, float]) -> str:
    """Return the medians, and the extremes behind them, in Markdown."""
    sizes = " | ".join(f"ms at {size} px" for size in SIZES)
    lines = [f"| Renderer | Samples | {sizes} | First image, s |", "|---|---:|---:|---:|---:|"]
    for name, seconds in first.items():
        cells = []
        for size in SIZES:
            values = costs[name, size]
            middle = statistics.median(values)
            cells.append(f"{_short(middle)} ({_short(min(values))} to {_short(max(values))})")
        samples = SAMPLES[name].default
        lines.append(f"| {name} | {samples} | {' | '.join(cells)} | {seconds:.2g} |")
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


if __name__ == "__main__":
    main()
