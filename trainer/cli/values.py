# SPDX-License-Identifier: GPL-3.0-or-later
"""Values on the command line: ``m1=2.25:0.1``, ``n1_1=3``, ``m1=bounded:0:20``."""

from __future__ import annotations

from gdr_core.errors import BadSettings
from gdr_core.families import FAMILIES, Distribution
from gdr_core.supershape.parameters import INDEX, NAMES, PARAMETERS, check_name

LISTED = (
    f"The parameters of the shape: {', '.join(NAMES)}. README.md says what each does. "
    f"Means and spreads of a lognormal one are those of its logarithm."
)


def split_name(text: str) -> tuple[str, str]:
    """Return the parameter's name and the rest of ``NAME=REST``."""
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise BadSettings(f"{text!r} is not of the form NAME=VALUE, as in m1=2.25:0.1.")
    return check_name(name.strip()), rest.strip()


def distribution(text: str, families: dict[str, Distribution]) -> tuple[str, Distribution]:
    """Read ``NAME=MEAN:STD`` (internal units) with the family that ``--family`` gave the name."""
    name, rest = split_name(text)
    mean, colon, std = rest.partition(":")
    if not colon:
        raise BadSettings(f"{text!r} needs a mean and a spread, as in {name}=2.25:0.1.")
    family = families.get(name, Distribution())
    found = Distribution(
        family=family.family,
        mean=number(mean, text),
        std=number(std, text),
        low=family.low,
        high=family.high,
    )
    found.check(name)
    return name, found


def family(text: str) -> tuple[str, Distribution]:
    """Read ``NAME=FAMILY`` or ``NAME=bounded:LOW:HIGH``; the mean and spread are placeholders."""
    name, rest = split_name(text)
    kind, *bounds = rest.split(":")
    parameter = PARAMETERS[INDEX[name]]
    low, high = parameter.low, parameter.high
    if kind not in FAMILIES:
        raise BadSettings(
            f"There is no family named {kind!r}; choose one of {', '.join(FAMILIES)}."
        )
    if bounds:
        if kind != "bounded" or len(bounds) != 2:
            raise BadSettings(f"{text!r} is not a family; bounds go as {name}=bounded:LOW:HIGH.")
        low, high = (number(bound, text) for bound in bounds)
    found = Distribution(family=kind, low=low, high=high)
    found.check(name)
    return name, found


def number(text: str, whole: str) -> float:
    """Read one number of the argument ``whole``."""
    try:
        return float(text)
    except ValueError:
        raise BadSettings(f"{text!r} in {whole!r} is not a number.") from None
