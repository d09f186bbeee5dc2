# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the demo ends, over many seeds: the table of the README.

Runs ``gdr optimize`` on the demo (reference start, hidden log-normals 2.25:0.1 on ``m1`` and
``m2``) once a seed, as a user would, and writes ``convergence.csv`` and ``convergence.md``. Seeds
that are done are not run again, and interrupted ones go on.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRUTH = 2.25
NAMES = ("m1", "m2")
TOLERANCE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--estimator", default="adversarial")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "convergence")
    args = parser.parse_args()
    rows = [measure(seed, args) for seed in range(args.seeds)]
    with (args.out / "convergence.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    table = markdown(rows)
    (args.out / "convergence.md").write_text(table, encoding="utf-8")
    print(table)


def measure(seed: int, args: argparse.Namespace) -> dict[str, float | None]:
    """Run one seed, or go on with it, and return its row."""
    folder = args.out / f"{args.estimator}-{seed}"
    run(folder, seed, args)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    within = [
        row
        for row in history
        if all(abs(float(row[f"{name}_mean"]) - TRUTH) <= TOLERANCE for name in NAMES)
    ]
    row: dict[str, float | None] = {"seed": seed, "renders": result["renders"]}
    for name in NAMES:
        for what in ("mean", "std"):
            row[f"{name}_{what}"] = round(result["parameters"][name][what], 4)
            row[f"{name}_drawn_{what}"] = round(result["truth"][name][f"drawn_{what}"], 4)
    row["first_within"] = int(within[0]["renders"]) if within else None
    row["ended_within"] = int(bool(within) and within[-1] is history[-1])
    row["seconds"] = result["seconds"]["total"]
    return row


def run(folder: Path, seed: int, args: argparse.Namespace) -> None:
    """Bring the seed's run to its last step, as far as it is not there yet."""
    command = [sys.executable, "-m", "trainer", "optimize", "--quiet", "--steps", str(args.steps)]
    if (folder / "checkpoint.safetensors").is_file():
        result = folder / "result.json"
        if result.is_file() and json.loads(result.read_text())["status"] == "done":
            return
        command += ["--resume", str(folder)]
    else:
        for name in NAMES:
            command += ["--hidden", f"{name}={TRUTH}:0.1"]
        command += ["--start", "m1=1.2:0.4", "--start", "m2=3.0:0.4", "--seed", str(seed)]
        command += ["--estimator", args.estimator, "--batch", str(args.batch)]
        command += ["--out", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)


def markdown(rows: list[dict[str, float | None]]) -> str:
    """Return the table, medians and the share of seeds that ended near the truth."""
    lines = [
        "| seed | m1 mean | m1 spread | m2 mean | m2 spread | first within 0.1 after | "
        "ended within 0.1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        first = "never" if row["first_within"] is None else f"{row['first_within']} renders"
        lines.append(
            f"| {row['seed']} | {row['m1_mean']:.3f} | {row['m1_std']:.3f} | "
            f"{row['m2_mean']:.3f} | {row['m2_std']:.3f} | {first} | "
            f"{'yes' if row['ended_within'] else 'no'} |"
        )
    ended = sum(row["ended_within"] for row in rows)
    arrived = [row["first_within"] for row in rows if row["first_within"] is not None]
    spread = statistics.median(
        row[f"{n}_std"] / row[f"{n}_drawn_std"] for row in rows for n in NAMES
    )
    worst = max(abs(row[f"{n}_mean"] - row[f"{n}_drawn_mean"]) for row in rows for n in NAMES)
    renders = statistics.median(row["renders"] for row in rows)
    lines += [
        "",
        f"{ended} of {len(rows)} seeds ended with both means within {TOLERANCE} of the truth "
        f"({TRUTH}), after {renders:.0f} renders in the median. "
        + (
            f"{len(arrived)} came within it at some step, the median of them first after "
            f"{statistics.median(arrived):.0f} renders. "
            if arrived
            else ""
        )
        + f"The median of the final spreads is {spread:.2f} times that of the drawn targets, and "
        f"the worst mean is {worst:.3f} off that of the drawn targets.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
