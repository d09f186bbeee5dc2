# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of distributions and the units in which people read them.

Most families are a normal variable ``x ~ N(mean, std)`` pushed through a smooth monotone map. The
mean and the spread (*internal units*) then mean the same thing in each of them, and an estimator,
which sees ``x`` alone, needs to know none of them:

===============  =================================  ==========================================
family           value                              support
===============  =================================  ==========================================
``lognormal``    ``exp(x)``                         positive
``normal``       ``x``                              all numbers
``bounded``      ``low + (high - low) sigmoid(x)``  between ``low`` and ``high``
``uniform``      any from ``low`` to ``high``       for what is drawn and not looked for
``categorical``  an item, by its probability        for a choice that is drawn
===============  =================================  ==========================================

``bounded`` is the logit-normal of Atchison & Shen, *Logistic-normal distributions*, Biometrika
67(2), 1980; with ``mean 0`` and ``std`` about 1.7 it is close to uniform.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, get_args

import msgspec
import numpy as np

from .errors import BadSettings

FamilyName = Literal["lognormal", "normal", "bounded", "uniform", "categorical"]
FAMILIES: tuple[str, ...] = get_args(FamilyName)
SMOOTH_FAMILIES = ("lognormal", "normal", "bounded")
"""Those with a mean and a spread, which an estimator can move."""
FIELDS = {
    "lognormal": ("family", "mean", "std"),
    "normal": ("family", "mean", "std"),
    "bounded": ("family", "mean", "std", "low", "high"),
    "uniform": ("family", "low", "high"),
    "categorical": ("family", "probabilities"),
}
"""The fields of a distribution that mean something, by family."""
MAX_LOG = 80.0
"""How far a log-normal may reach: values are single precision numbers, up to about e^88."""
_SHARE = 1e-6
"""How near a bounded value comes to its bounds: about a rounding step."""
_STANDARD = NormalDist()


class Distribution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The distribution of one parameter, in internal units.

    Attributes
    ----------
    family
        One of :data:`FAMILIES`.
    mean, std
        Of the underlying normal (so of the logarithm for ``lognormal``); unused by ``uniform``
        and ``categorical``.
    low, high
        The bounds of ``bounded`` and ``uniform``; unused by the others.
    probabilities
        Of the items of ``categorical``, by name; they need not add up to one. Empty for items that
        are all as probable.
    """

    family: FamilyName = "lognormal"
    mean: float = 0.0
    std: float = 0.4
    low: float = 0.0
    high: float = 1.0
    probabilities: dict[str, float] = {}

    def check(self, name: str) -> None:
        """Raise :class:`BadSettings` with a sentence about parameter ``name`` if unusable."""
        if self.family not in FAMILIES:
            raise BadSettings(
                f"The family of {name} is {self.family!r}; choose one of {', '.join(FAMILIES)}."
            )
        if self.family in SMOOTH_FAMILIES:
            self._check_normal(name)
        if self.family in ("bounded", "uniform") and not (
            math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high
        ):
            raise BadSettings(
                f"The bounds of {name} are {self.low} and {self.high}; "
                f"the lower one must be below the upper one."
            )
        weights = self.probabilities.values()
        if weights and not (all(0 <= w < math.inf for w in weights) and sum(weights) > 0):
            raise BadSettings(
                f"The probabilities of {name} are {', '.join(map(str, weights))}; give numbers "
                f"from 0, one of them above."
            )

    def _check_normal(self, name: str) -> None:
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

    def to_value(self, x):
        """Return the values for ``x`` in internal units, a number or an array of any shape."""
        values = np.asarray(x, dtype=np.float64)
        if self.family == "lognormal":
            values = np.exp(np.minimum(values, 700.0))
        elif self.family == "bounded":
            share = np.clip(_sigmoid(values), _SHARE, 1.0 - _SHARE)
            values = self.low + (self.high - self.low) * share
        return values if values.ndim else float(values)

    def to_internal(self, value):
        """Return ``x`` in internal units for values, a number or an array of any shape.

        Raises
        ------
        BadSettings
            A value lies outside the family's support.
        """
        values = np.asarray(value, dtype=np.float64)
        if self.family == "lognormal":
            if (values <= 0).any():
                raise BadSettings(
                    f"A log-normal parameter cannot be {values.min():g}; it must be positive."
                )
            values = np.log(values)
        elif self.family == "bounded":
            outside = ~((self.low < values) & (values < self.high))
            if outside.any():
                raise BadSettings(
                    f"A parameter bounded by {self.low} and {self.high} cannot be "
                    f"{values[outside].flat[0]:g}."
                )
            share = (values - self.low) / (self.high - self.low)
            values = np.log(share / (1.0 - share))
        return values if values.ndim else float(values)

    def quantile(self, share: np.ndarray) -> np.ndarray:
        """Return the values below which a share of the distribution lies; not of ``categorical``.

        Parameters
        ----------
        share
            ``(n,)``, above 0 and below 1.
        """
        if self.family == "uniform":
            return self.low + (self.high - self.low) * np.asarray(share)
        x = [_STANDARD.inv_cdf(value) for value in np.asarray(share).tolist()]
        return self.to_value(self.mean + self.std * np.array(x))

    def readable(self) -> tuple[float, float, float]:
        """Return ``(low, middle, high)`` of the parameter's own values.

        The middle is the median, the ends are one spread to either side: two in three samples
        lie between them.
        """
        ends = self.to_value(np.array([self.mean - self.std, self.mean, self.mean + self.std]))
        return tuple(ends.tolist())


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # The exponential of a large number is never taken.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)
