# SPDX-License-Identifier: GPL-3.0-or-later
"""Render each of some shapes by itself: ``PARAMETERS.npy IMAGES.npy SIZE GRID``."""

import runpy
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from gdr.gdr_addon.renderers import make_renderer  # noqa: E402

source, target, size, grid = sys.argv[1:]
renderer = make_renderer("fast", camera=None, grid=(int(grid), int(grid)), samples=1)
shapes = np.load(source)
np.save(target, np.concatenate([renderer.render(shape[None], int(size)) for shape in shapes]))
renderer.free()
