# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what was measured: ``runs.csv``, ``history.csv``, ``table.md`` and ``figure.png``."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import figure, table
from .contestants import CONTESTANTS
from .job import Job
from .score import Score, judge
from .sources import fingerprint
from .store import Store
from .tasks import TASKS


def write(store: Store, jobs: Sequence[Job]) -> str:
    """Write the files for the jobs that are done; return the tables as Markdown."""
    records = [record for record in map(store.read, jobs) if record is not None]
    if not records:
        return "No run is done yet."
    _csv(store.folder / "runs.csv", [run_line(record) for record in records])
    _csv(store.folder / "history.csv", [line for r in records for line in history_lines(r)])
    text = tables(records)
    (store.folder / "table.md").write_text(text, encoding="utf-8")
    figure.draw(records, store.folder / "figure.png")
    return text


def tables(records: Sequence[dict[str, Any]]) -> str:
    """Return both tables and what is undetermined."""
    scores: dict[tuple[str, str], list[Score]] = {}
    limits: dict[tuple[str, str], int] = {}
    for record in records:
        key = record["task"], record["contestant"]
        scores.setdefault(key, []).append(score_of(record))
        limits[key] = record["limit"]
    parts = [
        table.comparison(scores, limits),
        table.details(scores),
        table.alike(scores),
        table.noticed(scores),
        table.told(scores),
        table.broken(scores),
        _other_sources(records),
    ]
    return "\n".join(part for part in parts if part)


def _other_sources(records: Sequence[dict[str, Any]]) -> str:
    count = sum(record["sources"] != fingerprint() for record in records)
    if not count:
        return ""
    return (
        f"{count} of {len(records)} runs were made by other sources than are here now; "
        f"with --fresh they are made again.\n"
    )


def score_of(record: dict[str, Any]) -> Score:
    """Judge a record; one with a budget of its own may use all of it."""
    return judge(record, CONTESTANTS[record["contestant"]].budget)


def run_line(record: dict[str, Any]) -> dict[str, Any]:
    """Return the run's line of ``runs.csv``."""
    score = dataclasses.asdict(score_of(record))
    for name in ("undetermined", "off", "differences"):
        score[name] = " ".join(score[name])
    line = {name: record[name] for name in ("task", "contestant", "seed", "limit")} | score
    last = record["history"][-1] if record["history"] else {}
    for what in ("start", "drawn_mean", "drawn_std"):
        line |= _by_parameter(record, what, record[what])
    for what in ("mean", "std"):
        line |= _by_parameter(record, what, last.get(what, []))
    return line


def history_lines(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the run's lines of ``history.csv``, one an update."""
    for line in record["history"]:
        yield (
            {name: record[name] for name in ("task", "contestant", "seed")}
            | {name: line[name] for name in ("renders", "seconds", "converged")}
            | _by_parameter(record, "mean", line["mean"])
            | _by_parameter(record, "std", line["std"])
        )


def _by_parameter(record: dict[str, Any], what: str, values: Sequence[float]) -> dict[str, float]:
    names = TASKS[record["task"]].names
    return {f"{name}_{what}": round(value, 5) for name, value in zip(names, values, strict=False)}


def _csv(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
