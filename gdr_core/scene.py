# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as data: its parameters, what each of them is, and what a run makes of it.

A *parameter* belongs to the scene, and so does its *kind*. What becomes of a parameter is a
matter of the run: its *role* (:mod:`gdr_core.roles`). As in Ax, where the kinds are
``RangeParameter``, ``ChoiceParameter`` and so on; unlike Ax, being fixed is not a kind.

A batch for the renderer is an array of *rows*, ``(N, P)`` float64, with a column for each parameter
in the scene's order. Every column is a number:

==============  ===========================================================
kind            number
==============  ===========================================================
``continuous``  itself, in single precision, which is what Blender holds
``integer``     a whole number
``angle``       from ``low`` up to one ``period`` more
``choice``      the place of the item in ``items``
``colour``      one channel of a colour, 0 to 1
``seed``        a whole number from 0 to 2^32 - 1
==============  ===========================================================
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
import numpy as np

from .errors import BadSettings

KindName = Literal["continuous", "integer", "angle", "choice", "colour", "seed"]
KINDS: tuple[str, ...] = get_args(KindName)


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter of a scene.

    Attributes
    ----------
    name
        Its identifier in files, on the command line and on the wire.
    kind
        One of :data:`KINDS`.
    default
        Its number where nothing else is said.
    low, high
        The range to begin with, where a person or a family needs one. For an ``angle`` ``low`` is
        where its period begins.
    period
        Of an ``angle``, after which it is the same again.
    items
        What a ``choice`` can be, by name.
    unit
        For people, as in ``m`` or ``W``.
    label
        What the panel calls it.
    description
        What it does, for tooltips (no full stop).
    """

    name: str
    kind: KindName = "continuous"
    default: float = 0.0
    low: float = 0.0
    high: float = 1.0
    period: float = 2 * math.pi
    items: tuple[str, ...] = ()
    unit: str = ""
    label: str = ""
    description: str = ""

    def check(self) -> None:
        """Raise :class:`BadSettings` with a sentence if it is none."""
        if self.kind not in KINDS:
            raise BadSettings(
                f"{self.name} is of kind {self.kind!r}; choose one of {', '.join(KINDS)}."
            )
        if self.kind == "choice" and len(set(self.items)) < max(2, len(self.items)):
            raise BadSettings(f"The choice {self.name} needs two items or more, all different.")
        if self.kind == "angle" and not 0 < self.period < math.inf:
            raise BadSettings(f"The period of {self.name} is {self.period}; give one above zero.")

    def settle(self, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers that the scene can have nearest to these, ``(n,)`` float64.

        Whole numbers are rounded, angles wrapped, places of items kept among the items; this has
        no inverse.
        """
        numbers = np.asarray(numbers, dtype=np.float64)
        if self.kind in ("integer", "seed", "choice"):
            most = {"seed": 2.0**32 - 1, "choice": len(self.items) - 1.0}.get(self.kind, np.inf)
            least = -np.inf if self.kind == "integer" else 0.0
            return np.clip(np.rint(numbers), least, most)
        if self.kind == "angle":
            numbers = self.low + np.mod(numbers - self.low, self.period)
        if self.kind == "colour":
            numbers = np.clip(numbers, 0.0, 1.0)
        with np.errstate(over="ignore"):  # What is too large for Blender is infinite, and seen so.
            return numbers.astype(np.float32).astype(np.float64)

    @property
    def value(self) -> float | str:
        """The default as a file has it: of a choice, the item's name."""
        return self.items[int(self.default)] if self.kind == "choice" else self.default

    def number(self, value: float | str | bool) -> float:
        """Return the number that stands for a value of a file: of a choice, the item's place.

        Raises
        ------
        BadSettings
            It is no value of this parameter.
        """
        if self.kind == "choice":
            name = str(value)
            if name not in self.items:
                raise BadSettings(
                    f"{self.name} cannot be {name!r}; it is one of {', '.join(self.items)}."
                )
            return float(self.items.index(name))
        if isinstance(value, str) or not math.isfinite(value):
            raise BadSettings(f"{self.name} is fixed at {value}; give a finite number.")
        if self.kind in ("integer", "seed") and self.settle(np.array(value)) != value:
            least = " from 0" * (self.kind == "seed")
            raise BadSettings(f"{self.name} is fixed at {value:g}; give a whole number{least}.")
        return float(value)


class Scene(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scene that can be rendered: a value that any process can be sent.

    Attributes
    ----------
    name
        Of the kind of scene, known to :mod:`gdr_core.scenes`.
    parameters
        All of them, in the order of a row's columns.
    options
        The scene's own settings as plain data.
    """

    name: str
    parameters: tuple[Parameter, ...]
    options: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of a row's columns."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits, the same for the same scene in any process on any machine.

        Whatever depends on a scene is kept with its digest, and used for no other one.
        """
        said = {
            "name": self.name,
            "parameters": [(p.name, p.kind, p.period, p.items) for p in self.parameters],
            "options": self.options,
        }
        return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of that name, else raise :class:`BadSettings`."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise BadSettings(
            f"There is no parameter named {name!r}. The parameters are {', '.join(self.names)}."
        )

    def row(self, values: Mapping[str, float] | None = None) -> np.ndarray:
        """Return one row, ``(P,)`` float64: ``values`` by name, over the defaults.

        Raises
        ------
        BadSettings
            A name that is no parameter's.
        """
        for name in values or ():
            self.parameter(name)
        given = {p.name: p.default for p in self.parameters} | dict(values or {})
        return np.array([p.settle(given[p.name]) for p in self.parameters], dtype=np.float64)
