# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the supershape whose histories are recorded, so that a change of the code shows.

    python tests/trainer/histories.py

records them anew; do so where results are meant to change, and say in the commit why. ``before``
are the histories of the program that knew one scene, recorded before that was changed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_suffix(".json")
SEEDS = (0, 1, 2)
STEPS = {"regression": 100, "adversarial": 12}
"""Of each estimator; the reference method's first dozen, in which its discriminator and its model
have begun to move."""
_TARGETS = ["--hidden", "m1=2.25:0.1", "--hidden", "m2=2.25:0.1"]
_START = ["--start", "m1=1.2:0.4", "--start", "m2=3.0:0.4"]


def history(estimator: str, seed: int, source: str, folder: Path) -> list[dict[str, float]]:
    """Return the history of a run: renders, means and spreads after each step.

    Parameters
    ----------
    source
        ``hidden``; or ``folder``, for the same targets, read from files.
    folder
        A new one, for the run.
    """
    command = [*_START, "--seed", str(seed), "--quiet"]
    command += ["--estimator", estimator, "--steps", str(STEPS[estimator])]
    targets = _TARGETS
    if source == "folder":
        images = folder.with_name(f"{folder.name}-targets")
        # One step, for the sake of its hidden targets.
        _optimize([*_TARGETS, *_START, "--seed", str(seed), "--quiet", "--steps", "1"], images)
        for number, image in enumerate(np.load(images / "targets.npy")):
            Image.fromarray(image).save(images / f"{number:02d}.png")
        targets = ["--targets", str(images)]
    _optimize([*targets, *command], folder)
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = ("renders", "m1_mean", "m1_std", "m2_mean", "m2_std")
    return [{name: float(row[name]) for name in kept} for row in rows]


def machine() -> dict[str, str]:
    """Return what the last digits of a run depend on besides its code."""
    import bpy

    return {
        "processor": _processor(),
        "kernels": os.environ.get("OPENBLAS_CORETYPE", ""),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "blender": bpy.app.version_string,
    }


def _processor() -> str:
    """Return what the system says of the processor that matters to arithmetic."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    core = dict(line.split("\t", 1) for line in reversed(lines) if "\t" in line)
    names = ("vendor_id", "cpu family", "model", "stepping", "flags")
    said = "".join(value for name, value in core.items() if name.strip() in names)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _optimize(argv: list[str], out: Path) -> None:
    from trainer import cli

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # The order of sums must not depend on the computer's cores.
    try:
        if cli.main(["optimize", *argv, "--out", str(out)]):
            raise RuntimeError(f"gdr optimize {' '.join(argv)} failed")
    finally:
        torch.set_num_threads(before)


def main() -> None:
    """Record all of them."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="gdr-") as name:
        for estimator in STEPS:
            for source in ("hidden", "folder"):
                for seed in SEEDS:
                    key = f"{estimator} {source} {seed}"
                    found[key] = history(estimator, seed, source, Path(name) / key)
    before = json.loads(FILE.read_text())["before"]
    text = json.dumps({"machine": machine(), "histories": found, "before": before}, indent=1)
    FILE.write_text(text + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
