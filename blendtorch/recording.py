# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages in a file, in the form that they have on the wire.

A file begins with :data:`MAGIC`. Each message follows as the number of its frames (unsigned, 4
bytes), the size of each frame (8 bytes each, little endian) and the frames themselves. Nothing else
is needed to read a file, so one whose writer was killed is good up to its last whole message.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import struct
from pathlib import Path
from typing import IO, Any

from .errors import WireError
from .wire import DEFAULT_LIMITS, Limits, decode, encode

logger = logging.getLogger(__name__)

MAGIC = b"BTREC 1\n"
"""The first bytes of a recording, with the version of its form."""


class FileRecorder:
    """Writes messages to a file, each at once.

    Parameters
    ----------
    outpath
        The file; one that is there is replaced. Its folder is made if need be.
    max_messages
        How many messages are recorded; further ones are dropped, with a notice.
    limits
        What a message may have at most.
    replace
        When False, a file that is there is left alone.

    Raises
    ------
    FileExistsError
        With ``replace=False``, if the file is there.
    """

    def __init__(
        self,
        outpath: str | Path,
        max_messages: int = 100_000,
        *,
        limits: Limits = DEFAULT_LIMITS,
        replace: bool = True,
    ) -> None:
        self.path = Path(outpath)
        self.max_messages = max_messages
        self.count = 0
        """How many messages have been recorded."""
        self._limits = limits
        self._told = False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what is saved is with the system, whatever ends this process.
        self._file = self.path.open("wb" if replace else "xb", buffering=0)
        self._write(MAGIC)

    def save(self, message: dict[str, Any]) -> None:
        """Record a message.

        Raises
        ------
        TypeError, OverflowError, WireError
            For what does not travel either.
        OSError
            If the system cannot write, for instance because the disk is full. In both cases the
            file has the messages before, and further ones can be saved.
        """
        if self.count >= self.max_messages:
            if not self._told:
                logger.warning("%s is full with %d messages.", self.path, self.count)
            self._told = True
            return
        # Uncopied: the arrays are written before anybody can change them.
        frames = encode(message, zero_copy=True, limits=self._limits)
        sizes = [memoryview(f).nbytes for f in frames]
        start = self._file.tell()
        try:
            for part in (struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes), *frames):
                self._write(part)
        except OSError:
            self._file.truncate(start)
            self._file.seek(start)
            raise
        self.count += 1

    def _write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class FileReader:
    """Reads the messages of a recording by their number.

    The file is opened for each message, so that an object can be pickled and forked.

    Parameters
    ----------
    path
        The file.
    limits
        What a message may have at most.

    Attributes
    ----------
    truncated : bool
        Whether the file ends within a message, as when its writer was killed; a warning is logged
        then. The whole messages before can be read.

    Raises
    ------
    WireError
        If the file is no recording.
    """

    def __init__(self, path: str | Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = Path(path)
        self._limits = limits
        self._offsets: list[int] = []
        with self.path.open("rb") as file:
            self.truncated = not self._scan(file)
        if self.truncated:
            logger.warning(
                "%s ends within a message; the %d before it can be read.", self.path, len(self)
            )

    def _scan(self, file: IO[bytes]) -> bool:
        """Find the messages; return whether the file ends with a whole one."""
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        magic = file.read(len(MAGIC))
        if not MAGIC.startswith(magic):
            raise WireError(f"{self.path} is not a recording of this version.")
        if len(magic) < len(MAGIC):
            return False
        offset = len(MAGIC)
        while offset < end:
            sizes = self._sizes(file)
            after = file.tell() + sum(sizes)
            if not sizes or after > end:
                return False
            self._offsets.append(offset)
            offset = file.seek(after)
        return True

    def _sizes(self, file: IO[bytes]) -> list[int]:
        """Return the sizes of the frames of the message that begins here; none if it is damaged."""
        head = file.read(4)
        count = int.from_bytes(head, "little") if len(head) == 4 else 0
        if count > self._limits.max_arrays + 1:
            return []
        sizes = file.read(8 * count)
        return list(struct.unpack(f"<{count}Q", sizes)) if len(sizes) == 8 * count else []

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a message.

        Raises
        ------
        IndexError
            If there is none of this number.
        WireError
            If it is damaged. Others can be read all the same.
        """
        offset = self._offsets[index]
        with self.path.open("rb") as file:
            file.seek(offset)
            sizes = self._sizes(file)
            if sum(sizes) > self._limits.max_bytes:
                raise WireError(f"{self.path}: message {index} has {sum(sizes)} bytes.")
            frames = [file.read(n) for n in sizes]
        try:
            return decode(frames, limits=self._limits)
        except WireError as err:
            raise WireError(f"{self.path}, message {index}: {err}") from None


def new_recording(prefix: str | Path, worker: int, limits: Limits = DEFAULT_LIMITS) -> FileRecorder:
    """Begin a worker's next recording: ``PREFIX_00.btr``, then ``PREFIX_00_1.btr`` and so on."""
    number = 0
    while True:
        more = f"_{number}" if number else ""
        with contextlib.suppress(FileExistsError):
            return FileRecorder(f"{prefix}_{worker:02d}{more}.btr", limits=limits, replace=False)
        number += 1


def recordings(prefix: str | Path) -> list[Path]:
    """Return the recordings of all workers that begin with `prefix`, by their numbers."""
    prefix = Path(prefix)
    pattern = re.compile(re.escape(prefix.name) + r"_(\d{2,})(?:_(\d+))?\.btr")
    if not prefix.parent.is_dir():
        return []
    found = [(pattern.fullmatch(p.name), p) for p in prefix.parent.iterdir()]
    numbered = [(int(m[1]), int(m[2] or 0), p) for m, p in found if m is not None]
    return [path for *_, path in sorted(numbered)]
