# SPDX-License-Identifier: GPL-3.0-or-later
"""Where records are kept: one file a run, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .job import Job
from .sources import fingerprint


class Store:
    """The records of a folder.

    Several processes may share it: a run is locked while it is made, and the system drops the lock
    of a process that dies.

    Parameters
    ----------
    folder
        Where to keep them.
    fresh
        Whether a record counts only if it was made with the sources as they are now.
    """

    def __init__(self, folder: Path, fresh: bool = False) -> None:
        self.folder = folder
        self._fresh = fresh
        self._records = folder / "runs"

    def has(self, job: Job) -> bool:
        """Whether the job is done, with the renders that are asked for now."""
        record = self.read(job)
        if record is None or record["limit"] != job.renders:
            return False
        return not self._fresh or record["sources"] == fingerprint()

    def read(self, job: Job) -> dict[str, Any] | None:
        """Return the job's record, None if there is none."""
        path = self._path(job)
        if not path.is_file():
            return None
        return json.loads(path.read_text(encoding="utf-8"))

    def write(self, job: Job, record: dict[str, Any]) -> None:
        """Keep a record of a job that this process has claimed."""
        path = self._path(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(record) + "\n", encoding="utf-8")
        part.replace(path)

    @contextmanager
    def claim(self, job: Job) -> Iterator[bool]:
        """Keep other processes off the job; false if one of them is at it."""
        path = self._path(job).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _path(self, job: Job) -> Path:
        return self._records / job.task / job.contestant / f"{job.seed:03d}.json"
