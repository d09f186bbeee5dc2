# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the extension holds Blender's main thread, in a real window during a real run.

    python benchmarks/main_thread.py [--version 4.3] [--steps 60] [--rows 4]

Prints percentiles of the time that each timer call takes: by the clock on the wall, which on a busy
machine counts what other processes do as well, and by the processor time of the thread, which is
ours alone. The aim is 5 ms at the 95th percentile and 16 ms at the 99.9th.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "window"), str(ROOT / "tools")]

AIMS_MS = {95.0: 5.0, 99.9: 16.0}


def main() -> int:
    """Run it and print the table; 1 if an aim is missed by the wall's clock."""
    import build_addon
    from blender_for_tests import find
    from harness import install_extension, run_script

    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--version", default="4.3", help="of Blender (4.3)")
    arguments.add_argument("--steps", type=int, default=60, help="of the run (60)")
    arguments.add_argument("--rows", type=int, default=4, help="of the preview (4)")
    options = arguments.parse_args()
    blender = find(options.version)
    with tempfile.TemporaryDirectory(prefix="gdr-bench-") as name:
        folder, resources = Path(name), Path(name) / "resources"
        install_extension(blender, build_addon.build(), resources)
        result = run_script(
            blender,
            ROOT / "tests" / "window" / "scripts" / "measure_main_thread.py",
            folder=folder,
            user_resources=resources,
            environment={"GDR_TRAINER_PYTHON": sys.executable},
            arguments=[str(options.steps), str(options.rows)],
            timeout=900,
        ).check()
    report = result.report
    print(
        f"Blender {report['blender']}, {report['status']} after {report['step']} steps, "
        f"{len(report['wall'])} timer calls, {options.rows} x {options.rows} shapes"
    )
    print(f"{'percentile':>12} {'wall ms':>10} {'thread ms':>10}")
    missed = False
    for percentile in (50.0, 95.0, 99.0, 99.9, 100.0):
        wall, thread = (1000 * _percentile(report[kind], percentile) for kind in ("wall", "thread"))
        aim = AIMS_MS.get(percentile)
        note = f"   aim {aim:g}" if aim else ""
        missed |= aim is not None and wall > aim
        print(f"{percentile:12g} {wall:10.2f} {thread:10.2f}{note}")
    print(f"mean {1000 * statistics.fmean(report['wall']):.2f} ms a call")
    return int(missed)


def _percentile(values: list[float], percentile: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(percentile / 100 * (len(ordered) - 1)))]


if __name__ == "__main__":
    sys.exit(main())
