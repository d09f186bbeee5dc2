# SPDX-License-Identifier: GPL-3.0-or-later
"""Where records are kept: one file a run, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .job import Job


class Store:
    """The records of a folder.

    Several processes may share it: a run is locked while it is made, and the system drops the lock
    of a process that dies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records = folder / "runs"

    def has(self, job: Job) -> bool:
        """Whether the job is done, with the renders that are asked for now."""
        record = self.read(job)
        return record is not None and record["limit"] == job.renders

    def read(self, job: Job) -> dict[str, Any] | None:
        """Return the job's record, None if there is none."""
        path = self._path(job)
        if not path.is_file():
            return None
        return json.loads(path.read_text(encoding="utf-8"))

    def write(self, job: Job, record: dict[str, Any]) -> None:
        """Keep a record."""
        path = self._path(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".part{os.getpid()}")
        part.write_text(json.dumps(record) + "\n", encoding="utf-8")
        part.replace(path)

    def lock(self, job: Job) -> FileLock | None:
        """Return a lock that is held on the job, None if another process has it."""
        path = self._path(job).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            return lock.acquire(timeout=0).lock
        except Timeout:
            return None

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield every record, by task, contestant and seed."""
        for path in sorted(self._records.glob("*/*/*.json")):
            yield json.loads(path.read_text(encoding="utf-8"))

    def _path(self, job: Job) -> Path:
        return self._records / job.task / job.contestant / f"{job.seed:03d}.json"
