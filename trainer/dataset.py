# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of rendered images with the parameters of each: training data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gdr_core import parameters
from gdr_core.errors import BadSettings

from .images import save_png

HOW, TABLE = "dataset.json", "parameters.csv"


class Dataset:
    """Images ``image_00000.png`` and on, ``parameters.csv`` and ``dataset.json`` in a folder.

    An image is in the table once it is complete, so that who is interrupted can go on: a folder
    with the first images of the same dataset takes the rest. A context manager, which closes the
    table.

    Parameters
    ----------
    folder
        Made if it is not there.
    how
        How the images are made, as plain data, for ``dataset.json``.
    alike
        Names in ``how`` that must be as they were when the first images were made.

    Raises
    ------
    BadSettings
        The folder has other images, or cannot be written.

    Attributes
    ----------
    there
        Images that there are, from the first on.
    """

    def __init__(self, folder: Path, how: Mapping[str, Any], alike: tuple[str, ...]):
        self.folder = folder
        self.there = 0
        self._how = json.loads(json.dumps(how))  # As it will be read.
        self._open = ExitStack()
        self._rows = self._read(alike)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def begin(self, shapes: np.ndarray) -> np.ndarray:
        """Return those of the shapes ``(N, 12)`` that have no images yet: all but the first.

        Raises
        ------
        BadSettings
            The images that there are have other parameters.
        """
        found = self._rows[1:]
        rows = [_line(_row(number, shape)) for number, shape in enumerate(shapes[: len(found)])]
        if rows != found[: len(rows)]:
            raise BadSettings(
                f"The folder {self.folder} has {len(found)} images of other parameters (another "
                f"seed, or another distribution); name another folder."
            )
        self.there = len(found)
        try:
            self._begin_table()
        except OSError as error:
            raise self._unwritable(error) from error
        return shapes[self.there :]

    def add(self, shape: np.ndarray, image: np.ndarray) -> None:
        """Save the next image ``(S, S, 3)`` uint8, that of the parameters ``(12,)``."""
        row = _row(self.there, shape)
        save_png(self.folder / row[0], image)
        self._table.write(_line(row))
        self.there += 1

    def _read(self, alike: tuple[str, ...]) -> list[str]:
        """Return the whole lines of the table that there is, if it is this dataset's."""
        try:
            old = json.loads((self.folder / HOW).read_text(encoding="utf-8"))
            with (self.folder / TABLE).open(newline="", encoding="utf-8") as table:
                rows = [line for line in table if line.endswith("\n")]
        except (OSError, ValueError):
            if self.folder.is_dir() and any(self.folder.glob("image_*.png")):
                raise BadSettings(
                    f"The folder {self.folder} has images that gdr render did not put there; name "
                    f"another folder."
                ) from None
            return []
        for name in alike:
            if old.get(name) != self._how[name]:
                raise BadSettings(
                    f"The folder {self.folder} has images of another {name} ({old.get(name)}, and "
                    f"not {self._how[name]}); name another folder."
                )
        return rows

    def _begin_table(self) -> None:
        """Say how images are made, and open the table after its last whole line."""
        (self.folder / HOW).write_text(json.dumps(self._how, indent=1) + "\n", encoding="utf-8")
        path = self.folder / TABLE
        self._table = self._open.enter_context(path.open("a", newline="", encoding="utf-8"))
        self._table.truncate(len("".join(self._rows).encode()))
        if not self._rows:
            self._table.write(_line(["file", *parameters.NAMES]))

    def _unwritable(self, error: OSError) -> BadSettings:
        return BadSettings(f"The folder {self.folder} cannot be written ({error.strerror}).")


def _row(number: int, shape: np.ndarray) -> list[str]:
    return [f"image_{number:05d}.png", *map(repr, shape.tolist())]


def _line(row: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(row)
    return text.getvalue()
