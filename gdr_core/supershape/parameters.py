# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve parameters of a supershape: names, order and defaults.

A batch of parameters is an ``(N, 12)`` float32 array whose columns are in the order of
:data:`NAMES`. ``batch.reshape(N, 2, 6)`` is the layout of the ``supershape`` package: longitude
first, latitude second, each ``m, a, b, n1, n2, n3``.

The superformula is that of J. Gielis, *A generic geometric transformation that unifies a wide
range of natural and abstract shapes*, American Journal of Botany 90(3), 2003; its spherical
product is described by P. Bourke at http://paulbourke.net/geometry/supershape/.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from ..errors import BadSettings


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of the scene.

    Attributes
    ----------
    name
        Its identifier in files, on the command line and on the wire.
    label
        How the panel calls it.
    description
        What it does to the shape, for tooltips (no full stop).
    default
        The value when it is fixed and nothing else is said.
    low, high
        The bounds that the ``bounded`` family starts with.
    """

    name: str
    label: str
    description: str
    default: float
    low: float
    high: float


def _half(suffix: str, names: tuple[str, ...], where: str) -> tuple[Parameter, ...]:
    m, a, b, n1, n2, n3 = names
    return (
        Parameter(m, f"m {suffix}", f"Number of lobes along the {where}", 0.0, 0.0, 20.0),
        Parameter(a, f"a {suffix}", f"Width of the cosine term along the {where}", 1.0, 0.2, 3.0),
        Parameter(b, f"b {suffix}", f"Width of the sine term along the {where}", 1.0, 0.2, 3.0),
        Parameter(n1, f"n1 {suffix}", f"Overall exponent along the {where}", 3.0, 0.5, 20.0),
        Parameter(n2, f"n2 {suffix}", f"Cosine exponent along the {where}", 3.0, 0.5, 20.0),
        Parameter(n3, f"n3 {suffix}", f"Sine exponent along the {where}", 3.0, 0.5, 20.0),
    )


PARAMETERS: tuple[Parameter, ...] = (
    *_half("Longitude", ("m1", "a1", "b1", "n1_1", "n2_1", "n3_1"), "longitude"),
    *_half("Latitude", ("m2", "a2", "b2", "n1_2", "n2_2", "n3_2"), "latitude"),
)
NAMES: tuple[str, ...] = tuple(parameter.name for parameter in PARAMETERS)
INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
COUNT = len(PARAMETERS)


def defaults() -> np.ndarray:
    """Return the default of every parameter, ``(12,)`` float32."""
    return np.array([parameter.default for parameter in PARAMETERS], dtype=np.float32)


def check_name(name: str) -> str:
    """Return ``name`` if it is a parameter's, else raise :class:`BadSettings`."""
    if name not in INDEX:
        raise BadSettings(
            f"There is no parameter named {name!r}. The parameters are {', '.join(NAMES)}."
        )
    return name


def from_values(values: Mapping[str, float]) -> np.ndarray:
    """Return one shape's parameters, ``(12,)`` float32: ``values`` over the defaults.

    Raises
    ------
    BadSettings
        A name that is no parameter's.
    """
    out = defaults()
    for name, value in values.items():
        out[INDEX[check_name(name)]] = value
    return out
