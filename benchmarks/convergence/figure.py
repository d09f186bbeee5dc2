# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure: how far off, after how many renders; a panel a task, a colour a contestant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .contestants import CONTESTANTS
from .score import distance, judge
from .tasks import TASKS, Task

COLUMNS = 4
LOWEST, HIGHEST = 0.02, 100.0
"""Ends of the axis of errors, in tolerances; what lies beyond is drawn at the end."""
_GRID = np.geomspace(20, 5120, 160)


def draw(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw every record that there is.

    Lines are medians over seeds and bands quartiles. A run that has ended keeps its last estimate.
    A dot marks where a seed came within the tolerance for good, a cross the end of one that failed.
    """
    tasks = [name for name in TASKS if any(record["task"] == name for record in records)]
    names = [name for name in CONTESTANTS if any(r["contestant"] == name for r in records)]
    rows = -(-len(tasks) // COLUMNS)
    columns = min(COLUMNS, len(tasks))
    figure = Figure(figsize=(1 + 3.8 * columns, 0.9 + 3.0 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, task in zip(axes, tasks, strict=False):
        for name in names:
            chosen = [r for r in records if (r["task"], r["contestant"]) == (task, name)]
            if chosen:
                _panel(axis, TASKS[task], chosen, _colour(name))
        _label(axis, TASKS[task])
    for axis in axes[len(tasks) :]:
        axis.set_axis_off()
    figure.legend(handles=_legend(names), loc="outside upper center", ncols=len(names) + 2)
    figure.savefig(path, dpi=110)


def _panel(axis: Axes, task: Task, records: Sequence[dict[str, Any]], colour: str) -> None:
    curves = np.stack([_held(*_curve(task, record)) for record in records])
    known = ~np.isnan(curves).any(axis=0)
    low, middle, high = np.quantile(curves[:, known], (0.25, 0.5, 0.75), axis=0)
    reach = _GRID[known] <= max(record["renders"] for record in records) * 1.02
    where = _GRID[known][reach]
    axis.fill_between(where, low[reach], high[reach], color=colour, alpha=0.18, linewidth=0)
    axis.plot(where, middle[reach], color=colour, linewidth=1.6)
    for record in records:
        score = judge(record, CONTESTANTS[record["contestant"]].budget)
        if score.success:
            axis.plot(score.kept, _line(task), ".", color=colour, markersize=4, alpha=0.7)
        else:
            at = record["renders"], _curve(task, record)[1][-1:].min(initial=HIGHEST)
            axis.plot(*at, "x", color=colour, markersize=5, clip_on=False)


def _curve(task: Task, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return renders ``(T,)`` and what is drawn of the estimate after them, ``(T,)``."""
    if task.by_pictures:
        checks = record["checks"]
        return _column(checks, "renders"), np.clip(_column(checks, "accuracy"), 0.45, 1.0)
    return _column(record["history"], "renders"), np.clip(distance(record), LOWEST, HIGHEST)


def _column(lines: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([line[name] for line in lines], dtype=float)


def _held(renders: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the last value at each place of the grid, NaN before the first."""
    index = np.searchsorted(renders, _GRID, side="right") - 1
    return np.where(index >= 0, values[index], np.nan) if len(values) else _GRID * np.nan


def _line(task: Task) -> float:
    """Return where arriving is drawn."""
    return 0.5 if task.by_pictures else 1.0


def _label(axis: Axes, task: Task) -> None:
    axis.set_xscale("log")
    axis.set_xlim(20, 5600)
    axis.set_xticks([20, 50, 100, 300, 1000, 5000], ["20", "50", "100", "300", "1000", "5000"])
    axis.set_xlabel("renders")
    axis.set_title(f"{task.name}: {task.says}", fontsize=8)
    axis.axhline(_line(task), color="0.3", linewidth=0.8, linestyle=":")
    axis.grid(alpha=0.25, linewidth=0.5)
    if task.by_pictures:
        axis.set_ylim(0.42, 1.03)
        axis.set_ylabel("accuracy of a classifier")
    else:
        axis.set_yscale("log")
        axis.set_ylim(LOWEST / 1.2, HIGHEST * 1.2)
        axis.set_ylabel("largest error, in tolerances")


def _legend(names: Sequence[str]) -> list[Line2D]:
    return [
        *(Line2D([], [], color=_colour(name), label=name) for name in names),
        Line2D([], [], color="0.3", marker=".", linestyle="", label="arrived for good"),
        Line2D([], [], color="0.3", marker="x", linestyle="", label="ended without"),
    ]


def _colour(name: str) -> str:
    return f"C{list(CONTESTANTS).index(name)}"
