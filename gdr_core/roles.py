# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a parameter in a run: a tagged union, as ``config.toml`` has it.

::

    [parameters.m1]
    role = "optimise"
    distribution = { family = "lognormal", mean = 1.2, std = 0.4 }

    [parameters.light]
    role = "random"
    distribution = { family = "uniform", low = 1, high = 1000 }

    [parameters.a1]
    role = "fixed"
    value = 1.0
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .errors import BadSettings
from .families import SMOOTH_FAMILIES, Distribution
from .scene import Parameter

OPTIMISED_KINDS = ("continuous", "integer", "angle", "colour")
"""Kinds whose distribution an estimator can look for."""


class _Role(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="role", forbid_unknown_fields=True
):
    pass


class Fixed(_Role, tag="fixed"):
    """The parameter has this value in every render; that of a choice is the item's name."""

    value: float | str | bool = 0.0

    def check(self, parameter: Parameter) -> None:
        """Raise :class:`BadSettings` unless the parameter can be fixed so."""
        parameter.number(self.value)


class Random(_Role, tag="random"):
    """A nuisance: drawn afresh for each render, and not looked for.

    Attributes
    ----------
    distribution
        What it is drawn from.
    when
        ``always``; or ``mismatch``, for what is at its default until the estimator finds that
        renders cannot be like the targets and is to learn to look past such differences (domain
        randomization: Tobin et al., arXiv 1703.06907).
    """

    distribution: Distribution
    when: Literal["always", "mismatch"] = "always"

    def check(self, parameter: Parameter) -> None:
        """Raise :class:`BadSettings` unless the parameter can be drawn so."""
        name, family = parameter.name, self.distribution.family
        self.distribution.check(name)
        if (parameter.kind == "choice") != (family == "categorical"):
            asked = "categorical" if parameter.kind == "choice" else "another one"
            raise BadSettings(
                f"{name} is of kind {parameter.kind} and cannot have the family {family}; give "
                f"{asked}."
            )
        for item in self.distribution.probabilities:
            parameter.number(item)


class Optimise(_Role, tag="optimise"):
    """The run looks for the parameter's distribution, from this one on."""

    distribution: Distribution

    def check(self, parameter: Parameter) -> None:
        """Raise :class:`BadSettings` unless a run can start so."""
        name, family = parameter.name, self.distribution.family
        if parameter.kind not in OPTIMISED_KINDS:
            raise BadSettings(
                f"{name} is of kind {parameter.kind}, which cannot be optimised; fix it or make "
                f"it random."
            )
        if family not in SMOOTH_FAMILIES:
            raise BadSettings(
                f"{name} cannot be optimised from the family {family}; choose one of "
                f"{', '.join(SMOOTH_FAMILIES)}."
            )
        self.distribution.check(name)


Role = Fixed | Random | Optimise
ROLES = ("fixed", "random", "optimise")


def check_plain(name: str, plain: object) -> None:
    """Raise :class:`BadSettings` if plain data of a file is no role, before it is converted.

    The sentence is about the parameter ``name``.
    """
    if not isinstance(plain, dict):
        raise BadSettings(
            f"The parameter {name} is {plain!r}; give it a role, as in "
            f'{{ role = "fixed", value = 1.0 }}.'
        )
    role = plain.get("role")
    if role is None:
        raise BadSettings(f"The parameter {name} has no role; it is one of {', '.join(ROLES)}.")
    if role not in ROLES:
        raise BadSettings(f"The role of {name} is {role!r}; choose one of {', '.join(ROLES)}.")
    if role != "fixed" and "distribution" not in plain:
        purpose = "to be drawn from" if role == "random" else "to start from"
        raise BadSettings(f"The role of {name} is {role}, which needs a distribution {purpose}.")
    if role == "fixed" and "distribution" in plain:
        raise BadSettings(
            f"{name} is fixed and has a distribution; make its role random or optimise, or take "
            f"the distribution away."
        )
