# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of rendered images with the parameters of each: training data."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gdr_core.errors import BadSettings, GdrError

from .. import files
from .images import save_png

HOW, TABLE = "dataset.json", "parameters.csv"
_TOLERANCE = 1e-5
"""Relative: another processor draws the same parameters to some bits."""


class Dataset:
    """Images ``image_00000.png`` and on, ``parameters.csv`` and ``dataset.json`` in a folder.

    An image is in the table once it is complete, so that who is interrupted can go on: a folder
    with the first images of the same dataset takes the rest. A context manager; until it ends no
    other process can have the folder.

    Parameters
    ----------
    folder
        Made if it is not there.
    names
        Of the parameters, in the order of a row's columns.
    how
        How the images are made, as plain data, for ``dataset.json``.
    same
        Names in ``how`` that must be as they were when the first images were made.

    Raises
    ------
    BadSettings
        The folder has other images, cannot be written, or another process is writing it.

    Attributes
    ----------
    there
        Images that there are, from the first on.
    """

    def __init__(
        self,
        folder: Path,
        names: tuple[str, ...],
        how: Mapping[str, Any],
        same: tuple[str, ...],
    ):
        self.folder = folder
        self._names = names
        self._how = json.loads(json.dumps(how))  # As it will be read.
        self._open = ExitStack()
        busy = f"Another process is rendering into {folder}; stop it first."
        self._open.callback(files.lock_folder(folder, busy).release)
        with self._open:  # Let it go again if this fails.
            self._rows = self._read(same)
            self._open = self._open.pop_all()
        self.there = len(self._rows)

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._open.close()
        except OSError as failure:
            raise self._full(failure) from failure

    def begin(self, rows: np.ndarray) -> np.ndarray:
        """Return those of the rows ``(N, P)`` that have no images yet: all but the first.

        Raises
        ------
        BadSettings
            The images that there are have other parameters.
        GdrError
            The table cannot be written.
        """
        first = rows[: self.there]
        saved = np.array([row for _, row in self._rows[: len(first)]]).reshape(first.shape)
        if not np.allclose(saved, first, rtol=_TOLERANCE):
            raise BadSettings(
                f"The folder {self.folder} has {self.there} images of other parameters (another "
                f"seed, or another distribution); name another folder."
            )
        try:
            self._begin_table()
        except OSError as error:
            raise self._full(error) from error
        return rows[self.there :]

    def add(self, row: np.ndarray, image: np.ndarray) -> None:
        """Save the next image ``(S, S, 3)`` uint8, that of the row ``(P,)``.

        Raises
        ------
        GdrError
            It cannot be written.
        """
        name = _name(self.there)
        try:
            save_png(self.folder / name, image)
            self._writer.writerows(_lines([(name, row.tolist())]))
        except OSError as error:
            raise self._full(error) from error
        self.there += 1

    def _read(self, same: tuple[str, ...]) -> list[tuple[str, list[float]]]:
        """Return the rows of the table that there is, up to the first without its image.

        The last line of one that was killed may be half there; it does not count.
        """
        how, path = self.folder / HOW, self.folder / TABLE
        any_images = any(self.folder.glob("image_*.png"))
        if not any_images and not how.exists() and not path.exists():
            return []
        try:
            saved = json.loads(how.read_text(encoding="utf-8"))
            if "gdr" in saved and "scene" not in saved:
                raise BadSettings(
                    f"The folder {self.folder} has images of an earlier version of gdr; name "
                    f"another folder."
                )
            old = {name: saved[name] for name in same}
            lines = []
            if any_images or path.exists():
                with path.open(newline="", encoding="utf-8") as table:
                    lines = [line for line in table if line.endswith("\n")]
        except (OSError, ValueError, TypeError, LookupError):
            raise BadSettings(
                f"The folder {self.folder} has files that gdr render did not put there; name "
                f"another folder."
            ) from None
        for name in same:
            if old[name] != self._how[name]:
                what, before, now = _first_difference(name, old[name], self._how[name])
                raise BadSettings(
                    f"The folder {self.folder} has images of another {what} ({before}, and not "
                    f"{now}); name another folder."
                )
        rows = []
        for number, line in enumerate(list(csv.reader(lines))[1:]):
            name, *values = line or [""]
            try:
                row = [float(value) for value in values]
            except ValueError:
                break
            if len(row) != len(self._names) or name != _name(number):
                break
            if not (self.folder / name).is_file():
                break
            rows.append((name, row))
        return rows

    def _begin_table(self) -> None:
        """Say how images are made, and write the table of those that there are."""
        how, path = self.folder / HOW, self.folder / TABLE
        fresh = path.with_name(path.name + ".new")
        with fresh.open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([["file", *self._names], *_lines(self._rows)])
        # This one first: with it alone the folder is known to be ours.
        files.write_text(how, json.dumps(self._how, indent=1) + "\n")
        files.replace(fresh, path)
        table = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._open.enter_context(table))

    def _full(self, error: OSError) -> GdrError:
        return GdrError(
            f"The folder {self.folder} cannot be written ({files.why(error)}). {self.there} images "
            f"are there; the same command renders the rest."
        )


def _first_difference(name: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """Return the name and both values of the first thing in which two settings differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if old.get(key) != new.get(key):
                return _first_difference(key, old.get(key), new.get(key))
    return name, old, new


def _name(number: int) -> str:
    return f"image_{number:05d}.png"


def _lines(rows: list[tuple[str, list[float]]]) -> list[list[str]]:
    return [[name, *map(repr, row)] for name, row in rows]
