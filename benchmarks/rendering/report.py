# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures, and the table that they make."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import asdict, dataclass, field

from .shares import Shares

REFERENCE = "reference's way"


@dataclass
class Measured:
    """What was measured of one way, in seconds a batch.

    Attributes
    ----------
    total
        By the trainer's clock.
    processor
        Of all cores, in the worker.
    rendering
        By the worker's clock.
    """

    total: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    rendering: list[float] = field(default_factory=list)
    shares: Shares | None = None


def figures(found: dict[str, Measured], batch: int, size: int, device: str) -> dict:
    """Return the figures of all ways, and where they were measured."""
    base = statistics.median(found[REFERENCE].total)
    rows = [
        {
            "way": name,
            "images_per_second": batch / statistics.median(one.total),
            "slowest": batch / max(one.total),
            "fastest": batch / min(one.total),
            # The system counts in hundredths of a second, too coarse for one batch.
            "processor_ms": 1000 * statistics.mean(one.processor) / batch,
            "times_reference": base / statistics.median(one.total),
            "shares": None if one.shares is None else asdict(one.shares),
        }
        for name, one in found.items()
    ]
    return {
        "batch": batch,
        "size": size,
        "repetitions": len(found[REFERENCE].total),
        "device": device,
        "cpu_cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "rows": rows,
    }


def as_markdown(result: dict) -> str:
    """Return the figures as a table."""
    load = "" if result["load"] is None else f", load average {result['load']:.1f}"
    lines = [
        "| Way | Images a second | Slowest to fastest | Times the reference's way "
        "| Processor, ms an image | Drawing, reading | Curves | Transfer, trainer |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(row) for row in result["rows"]),
        "",
        f"{result['batch']} shapes of {result['size']} px a batch, one worker process each, "
        f"medians of {result['repetitions']} turns, in each of which a way renders batches one "
        f"after the other for half a second at least. {result['device']}, "
        f"{result['cpu_cores']} CPU cores, {result['system']}{load}.",
    ]
    return "\n".join(lines) + "\n"


def _line(row: dict) -> str:
    cells = [
        row["way"],
        f"{row['images_per_second']:.0f}",
        f"{row['slowest']:.0f} to {row['fastest']:.0f}",
        f"{row['times_reference']:.1f}",
        f"{row['processor_ms']:.2g}",
    ]
    shares = row["shares"]
    cells += ["", "", ""] if shares is None else [f"{share:.0%}" for share in shares.values()]
    return f"| {' | '.join(cells)} |"
