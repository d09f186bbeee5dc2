# SPDX-License-Identifier: GPL-3.0-or-later
"""Values on the command line: ``m1=2.25:0.1``, ``n1_1=3``, ``m1=bounded:0:20``."""

from __future__ import annotations

from gdr_core.errors import BadSettings
from gdr_core.families import SMOOTH_FAMILIES, Distribution
from gdr_core.scene import Scene


def listed(scene: Scene) -> str:
    """Return what a command's help says of the scene's parameters."""
    return (
        f"The scene's parameters: {', '.join(scene.names)}. docs/scenes.md says what each does. "
        f"Means and spreads of a lognormal one are those of its logarithm."
    )


def split_name(text: str, scene: Scene) -> tuple[str, str]:
    """Return the parameter's name and the rest of ``NAME=REST``."""
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise BadSettings(f"{text!r} is not of the form NAME=VALUE, as in m1=2.25:0.1.")
    return scene.parameter(name.strip()).name, rest.strip()


def distribution(
    text: str, scene: Scene, families: dict[str, Distribution]
) -> tuple[str, Distribution]:
    """Read ``NAME=MEAN:STD`` (internal units) with the family that ``--family`` gave the name."""
    name, rest = split_name(text, scene)
    mean, colon, std = rest.partition(":")
    if not colon:
        raise BadSettings(f"{text!r} needs a mean and a spread, as in {name}=2.25:0.1.")
    family = families.get(name, Distribution())
    start = Distribution(
        family=family.family,
        mean=number(mean, text),
        std=number(std, text),
        low=family.low,
        high=family.high,
    )
    start.check(name)
    return name, start


def family(text: str, scene: Scene) -> tuple[str, Distribution]:
    """Read ``NAME=FAMILY`` or ``NAME=bounded:LOW:HIGH``; the mean and spread are placeholders."""
    name, rest = split_name(text, scene)
    kind, *bounds = rest.split(":")
    parameter = scene.parameter(name)
    low, high = parameter.low, parameter.high
    if kind not in SMOOTH_FAMILIES:
        raise BadSettings(
            f"There is no family named {kind!r}; choose one of {', '.join(SMOOTH_FAMILIES)}."
        )
    if bounds:
        if kind != "bounded" or len(bounds) != 2:
            raise BadSettings(f"{text!r} is not a family; bounds go as {name}=bounded:LOW:HIGH.")
        low, high = (number(bound, text) for bound in bounds)
    placeholder = Distribution(family=kind, low=low, high=high)
    placeholder.check(name)
    return name, placeholder


def fixed(text: str, scene: Scene) -> tuple[str, float | str]:
    """Read ``NAME=VALUE``; the value of a choice is the name of an item."""
    name, rest = split_name(text, scene)
    parameter = scene.parameter(name)
    value = rest if parameter.kind == "choice" else number(rest, text)
    parameter.number(value)
    return name, value


def number(text: str, whole: str) -> float:
    """Read one number of the argument ``whole``."""
    try:
        return float(text)
    except ValueError:
        raise BadSettings(f"{text!r} in {whole!r} is not a number.") from None
