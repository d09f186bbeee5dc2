# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the benchmark of renderers."""

from __future__ import annotations

import pytest

from benchmarks.rendering.report import REFERENCE, Measured, as_markdown, figures
from benchmarks.rendering.shares import shares


def test_ratios_are_those_of_the_medians():
    fast = Measured(total=[0.1, 0.2, 0.9], processor=[0.1, 0.1, 0.4], rendering=[0.05, 0.1, 0.45])
    fast.shares = shares(fast.total, fast.rendering, curves=0.02)
    slow = Measured(total=[3.0, 2.0, 2.0], processor=[2.0, 2.0, 2.0], rendering=[0.0, 0.0, 0.0])
    result = figures({"fast": fast, REFERENCE: slow}, batch=64, size=32, device="a card")
    row = result["rows"][0]
    assert row["images_per_second"] == pytest.approx(320)
    assert row["times_reference"] == pytest.approx(10)
    assert row["processor_ms"] == pytest.approx(200 / 64)
    assert row["shares"] == pytest.approx({"drawing": 0.4, "curves": 0.1, "transfer": 0.5})
    table = as_markdown(result)
    assert "| fast | 320 | 71 to 640 | 10.0 | 3.1 | 40% | 10% | 50% |" in table
    assert f"| {REFERENCE} | 32 | 21 to 32 | 1.0 | 31 |  |  |  |" in table
    assert "64 shapes of 32 px" in table
