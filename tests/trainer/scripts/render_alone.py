# SPDX-License-Identifier: GPL-3.0-or-later
"""Render each of some rows of the supershape by itself: ``ROWS.npy IMAGES.npy SIZE GRID``."""

import runpy
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from gdr.gdr_addon.renderers import make_renderer  # noqa: E402
from gdr.gdr_core.settings import SceneSettings  # noqa: E402

source, target, size, grid = sys.argv[1:]
scene = SceneSettings(options={"grid": (int(grid), int(grid))}).filled(int(size)).resolve()
renderer = make_renderer(scene, "fast", samples=1)
rows = np.load(source)
np.save(target, np.concatenate([renderer.render(row[None], int(size)) for row in rows]))
renderer.free()
