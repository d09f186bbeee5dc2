# SPDX-License-Identifier: GPL-3.0-or-later
"""The twelve parameters of a supershape's form: names, order and defaults.

The first twelve columns of a row are in the order of :data:`NAMES`. As ``(N, 2, 6)`` they are the
layout of the ``supershape`` package: longitude first, latitude second, each
``m, a, b, n1, n2, n3``.

The superformula is that of J. Gielis, *A generic geometric transformation that unifies a wide
range of natural and abstract shapes*, American Journal of Botany 90(3), 2003; its spherical
product is described by P. Bourke at http://paulbourke.net/geometry/supershape/.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import BadSettings
from ..scene import Parameter


def _half(suffix: str, names: tuple[str, ...], where: str) -> tuple[Parameter, ...]:
    labels = ("m", "a", "b", "n1", "n2", "n3")
    says = (
        "Number of lobes",
        "Width of the cosine term",
        "Width of the sine term",
        "Overall exponent",
        "Cosine exponent",
        "Sine exponent",
    )
    ranges = ((0.0, 0.0, 20.0), *((1.0, 0.2, 3.0),) * 2, *((3.0, 0.5, 20.0),) * 3)
    return tuple(
        Parameter(
            name=name,
            label=f"{label} {suffix}",
            description=f"{what} along the {where}",
            default=default,
            low=low,
            high=high,
        )
        for name, label, what, (default, low, high) in zip(names, labels, says, ranges, strict=True)
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


def from_values(values: Mapping[str, float]) -> np.ndarray:
    """Return one shape's parameters, ``(12,)`` float32: ``values`` over the defaults.

    Raises
    ------
    BadSettings
        A name that is no parameter's.
    """
    out = defaults()
    for name, value in values.items():
        if name not in INDEX:
            raise BadSettings(f"A supershape has no parameter {name!r}; it has {', '.join(NAMES)}.")
        out[INDEX[name]] = value
    return out
