# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the benchmarks; they are not installed, so their folder is put on the path."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
