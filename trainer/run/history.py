# SPDX-License-Identifier: GPL-3.0-or-later
"""``history.csv``: one line a step, on disk as soon as the step is made."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from .. import files

COLUMNS = ("step", "renders", "seconds", "d_real", "d_sim")


@dataclass(frozen=True)
class Row:
    """One step; see :class:`gdr_core.messages.Progress` for the fields."""

    step: int
    renders: int
    seconds: float
    d_real: float
    d_sim: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


class History:
    """The rows of a run, in memory and in a file.

    Parameters
    ----------
    path
        The CSV file.
    names
        Optimised parameters, in the order of a row's ``mean`` and ``std``.
    keep_through
        Keep the rows of an existing file up to this step (for a resumed run); None starts anew.
    """

    def __init__(self, path: Path, names: tuple[str, ...], keep_through: int | None = None):
        self.names = names
        self.rows: list[Row] = []
        if keep_through is not None and path.is_file():
            self.rows = [row for row in read(path, names) if row.step <= keep_through]
        fresh = path.with_name(path.name + ".new")
        per_parameter = [f"{name}_{what}" for name in names for what in ("mean", "std")]
        with fresh.open("w", newline="", encoding="utf-8") as file:
            self._writer = csv.writer(file)
            self._writer.writerow([*COLUMNS, *per_parameter])
            for row in self.rows:
                self._write(row)
        files.replace(fresh, path)
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)

    def append(self, row: Row) -> None:
        """Add a row and put it on disk."""
        self.rows.append(row)
        self._write(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, row: Row) -> None:
        values = [row.step, row.renders, f"{row.seconds:.3f}", _cell(row.d_real), _cell(row.d_sim)]
        for mean, std in zip(row.mean, row.std, strict=True):
            values += [repr(mean), repr(std)]
        self._writer.writerow(values)


def read(path: Path, names: tuple[str, ...]) -> list[Row]:
    """Return the rows of a history file; an incomplete last line is left out."""
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            try:
                rows.append(
                    Row(
                        int(line["step"]),
                        int(line["renders"]),
                        float(line["seconds"]),
                        float(line["d_real"] or "nan"),
                        float(line["d_sim"] or "nan"),
                        tuple(float(line[f"{name}_mean"]) for name in names),
                        tuple(float(line[f"{name}_std"]) for name in names),
                    )
                )
            except (TypeError, ValueError):
                break
    return rows


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"
