# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages of the fast renderer cost, in milliseconds of processor time an image.

    python -m benchmarks.rendering.stages

Of all cores together, which other load disturbs less than the clock. After each stage a pixel is
read, which waits for it: nothing overlaps here.
"""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

import bpy  # noqa: E402, F401  # Before gpu.
import gpu  # noqa: E402
from gdr.gdr_addon.renderers import make_renderer  # noqa: E402
from gdr.gdr_addon.scenes.supershape.fast import renderer as fast  # noqa: E402
from gdr.gdr_addon.scenes.supershape.points import drawable_profiles, split  # noqa: E402

from .shapes import around_truth, scene  # noqa: E402

BATCH, SIZE, REPETITIONS = 64, 64, 15
STAGES = ("curves", "places", "light", "reading")


def stage_times(renderer: fast.FastRenderer, rows: np.ndarray) -> list[float]:
    """Return the seconds that each stage takes."""
    parameters, lights = split(rows)
    images = np.empty((len(parameters), SIZE, SIZE, 3), np.uint8)
    renderer._make_atlases(len(parameters), len(parameters), SIZE)
    atlas, shapes = renderer._atlases[0], range(len(parameters))
    marks = [time.process_time()]
    profiles = drawable_profiles(parameters, renderer._grid)[:2]
    texels = fast.fast_curves.texels(*profiles)
    marks.append(time.process_time())
    curves = fast._texture(texels)
    renderer._draw_places(atlas, curves, shapes)
    _wait(atlas._surface, 2, np.float32, "FLOAT")
    marks.append(time.process_time())
    renderer._draw_light(atlas, curves, shapes, lights)
    atlas.draw_mean()
    _wait(atlas._picture, 4, np.uint8, "UBYTE")
    marks.append(time.process_time())
    atlas.read(images)
    marks.append(time.process_time())
    return np.diff(marks).tolist()


def _wait(framebuffer: gpu.types.GPUFrameBuffer, channels: int, kind: type, name: str) -> None:
    pixel = np.empty((1, 1, channels), kind)
    buffer = gpu.types.Buffer(name, pixel.shape, pixel)
    with framebuffer.bind():
        framebuffer.read_color(0, 0, 1, 1, channels, 0, name, data=buffer)


def main() -> None:
    """Print the table."""
    rows = around_truth(BATCH)
    sys.stdout.write(f"| Grid, samples | {' | '.join(STAGES)} |\n|---|{'---:|' * len(STAGES)}\n")
    for side, samples in ((50, 1), (50, 4), (100, 1)):
        renderer = make_renderer(scene((side, side)), "fast", samples=samples)
        renderer.render(rows, SIZE)
        times = [stage_times(renderer, rows) for _ in range(REPETITIONS)]
        cells = [f"{1000 * stage / BATCH:.2g}" for stage in np.median(times, axis=0)]
        sys.stdout.write(f"| {side} x {side}, {samples} | {' | '.join(cells)} |\n")
        renderer.free()


if __name__ == "__main__":
    main()
