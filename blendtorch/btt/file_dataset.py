# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded stream as a torch dataset, without Blender."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.utils import data

from ..recording import FileReader, recordings
from ..wire import DEFAULT_LIMITS, Limits


class FileDataset(data.Dataset):
    """The messages that a ``RemoteIterableDataset`` recorded, in any order and any number of times.

    Parameters
    ----------
    record_path_prefix
        What ``RemoteIterableDataset.enable_recording`` got. The files of all workers are read, one
        after the other.
    item_transform
        Applied to each message; alternatively override :meth:`_item`. A recording holds messages as
        they came, before any transform.
    limits
        What a message may have at most.

    Raises
    ------
    FileNotFoundError
        If there is no recording of this prefix.
    WireError
        If a file is no recording. One that ends within a message has those before it, and a warning
        is logged.
    """

    def __init__(
        self,
        record_path_prefix: str | Path,
        item_transform: Callable[[Any], Any] | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        paths = recordings(record_path_prefix)
        if not paths:
            raise FileNotFoundError(f"There is no recording {record_path_prefix}_*.btr.")
        self.item_transform = item_transform
        self.files = [FileReader(path, limits) for path in paths]
        self._ends = list(itertools.accumulate(len(f) for f in self.files))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Any:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"There is no item {index}; there are {len(self)}.")
        which = bisect.bisect_right(self._ends, position)
        file = self.files[which]
        return self._item(file[position - self._ends[which] + len(file)])

    def _item(self, item: dict[str, Any]) -> Any:
        """Transform a message; override to your liking."""
        return item if self.item_transform is None else self.item_transform(item)
