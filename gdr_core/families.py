# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of distributions and the units in which people read them.

Every family is a normal variable ``x ~ N(mean, std)`` pushed through a smooth monotone map, so
``mean`` and ``std`` ("internal units") mean the same thing in each, and the density of each has
a score:

=============  ===============================  ==========================================
family         parameter                        support
=============  ===============================  ==========================================
``lognormal``  ``exp(x)``                       positive
``normal``     ``x``                            all numbers
``bounded``    ``low + (high - low) sigmoid(x)``  between ``low`` and ``high``
=============  ===============================  ==========================================

``bounded`` is the logit-normal of Atchison & Shen, *Logistic-normal distributions*, Biometrika
67(2), 1980; with ``mean 0`` and ``std`` about 1.7 it is close to uniform.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import msgspec

from .errors import BadSettings

FamilyName = Literal["lognormal", "normal", "bounded"]
FAMILIES: tuple[str, ...] = get_args(FamilyName)
MAX_LOG = 80.0
"""How far a log-normal may reach: its values are single precision numbers, up to about e^88."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The distribution of one parameter, in internal units.

    Attributes
    ----------
    family
        One of :data:`FAMILIES`.
    mean, std
        Of the underlying normal (so of the logarithm for ``lognormal``).
    low, high
        The bounds of ``bounded``; unused by the others.
    """

    family: FamilyName = "lognormal"
    mean: float = 0.0
    std: float = 0.4
    low: float = 0.0
    high: float = 1.0

    def check(self, name: str) -> None:
        """Raise :class:`BadSettings` with a sentence about parameter ``name`` if unusable."""
        if self.family not in FAMILIES:
            raise BadSettings(
                f"The family of {name} is {self.family!r}; choose one of {', '.join(FAMILIES)}."
            )
        if not math.isfinite(self.mean):
            raise BadSettings(f"The mean of {name} is {self.mean}; give a finite number.")
        if not (math.isfinite(self.std) and self.std > 0):
            raise BadSettings(
                f"The spread of {name} is {self.std}; give a number above zero "
                f"(or fix the parameter at a value)."
            )
        if self.family == "lognormal" and abs(self.mean) + 5 * self.std > MAX_LOG:
            raise BadSettings(
                f"The log-normal of {name} ({self.mean:g}:{self.std:g}) reaches numbers "
                f"that are too large; its mean and spread are those of the logarithm, so that "
                f"2.25:0.1 is about 9.5."
            )
        if self.family == "bounded" and not (
            math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high
        ):
            raise BadSettings(
                f"The bounds of {name} are {self.low} and {self.high}; "
                f"the lower one must be below the upper one."
            )

    def to_value(self, x: float) -> float:
        """Return the parameter's value for ``x`` in internal units."""
        if self.family == "lognormal":
            return math.exp(min(x, 700.0))
        if self.family == "bounded":
            return self.low + (self.high - self.low) * _sigmoid(x)
        return x

    def to_internal(self, value: float) -> float:
        """Return ``x`` in internal units for a parameter's value.

        Raises
        ------
        BadSettings
            The value lies outside the family's support.
        """
        if self.family == "lognormal":
            if value <= 0:
                raise BadSettings(f"A log-normal parameter cannot be {value}; it must be positive.")
            return math.log(value)
        if self.family == "bounded":
            if not self.low < value < self.high:
                raise BadSettings(
                    f"A parameter bounded by {self.low} and {self.high} cannot be {value}."
                )
            share = (value - self.low) / (self.high - self.low)
            return math.log(share / (1.0 - share))
        return value

    def readable(self) -> tuple[float, float, float]:
        """Return ``(low, middle, high)`` of the parameter's own values.

        The middle is the median, the ends are one spread to either side: two in three samples
        lie between them.
        """
        return (
            self.to_value(self.mean - self.std),
            self.to_value(self.mean),
            self.to_value(self.mean + self.std),
        )


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)
