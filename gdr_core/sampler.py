# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an estimator proposes to rows that can be rendered; the one place that makes values.

An estimator speaks of the optimised parameters alone, in internal units. Here their families' maps
are applied, whole numbers are rounded and angles wrapped, fixed parameters get their values, and
nuisances are drawn.

A nuisance depends on the run's seed, its own name and the number of the render, and on nothing
else. So any render can be made again alone, in any order and on any machine, and one more nuisance
changes no other. The numbers are those of a counter-based generator, Philox, made for this (Salmon
et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011): its key is the seed and the name,
its counter the number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import numpy as np

from .families import Distribution
from .roles import Fixed, Optimise, Random, Role
from .scene import Parameter, Scene

Stream = Literal["targets", "search", "preview", "conclusion", "data"]
"""What renders are for; each numbers its own, from 0."""


class Sampler:
    """Makes the rows of one run, or of one set of training data.

    Parameters
    ----------
    scene
        Whose rows.
    roles
        Of every parameter, by name.
    seed
        Of the nuisances.

    Attributes
    ----------
    names
        The optimised parameters, in the scene's order: the columns of ``x``.
    """

    def __init__(self, scene: Scene, roles: Mapping[str, Role], seed: int):
        self.scene = scene
        self._roles = [roles[name] for name in scene.names]
        self._seed = seed
        optimised = [
            (column, role.distribution)
            for column, role in enumerate(self._roles)
            if isinstance(role, Optimise)
        ]
        self._optimised: list[tuple[int, Distribution]] = optimised
        self.names = tuple(scene.names[column] for column, _ in optimised)

    @property
    def start(self) -> dict[str, Distribution]:
        """What each optimised parameter starts from."""
        return {self.scene.names[column]: start for column, start in self._optimised}

    def rows(
        self, x: np.ndarray, first: int, stream: Stream = "search", mismatch: bool = False
    ) -> np.ndarray:
        """Return the rows ``(n, P)`` float64 of renders number ``first`` and on.

        Parameters
        ----------
        x
            ``(n, K)``, the optimised parameters in internal units.
        first
            Number of the first of these renders in its stream.
        stream
            What the renders are for.
        mismatch
            Whether to draw the nuisances that are kept for renders that cannot be like the targets.
        """
        x = np.asarray(x, dtype=np.float64)
        out = np.empty((len(x), len(self._roles)))
        for column, (parameter, role) in enumerate(
            zip(self.scene.parameters, self._roles, strict=True)
        ):
            if isinstance(role, Fixed):
                out[:, column] = parameter.settle(parameter.number(role.value))
            elif isinstance(role, Random) and (mismatch or role.when == "always"):
                out[:, column] = self._draw(parameter, role, first, len(x), stream)
            else:
                out[:, column] = parameter.settle(parameter.default)
        for k, (column, start) in enumerate(self._optimised):
            out[:, column] = self.scene.parameters[column].settle(start.to_value(x[:, k]))
        return out

    def _draw(
        self, parameter: Parameter, role: Random, first: int, count: int, stream: Stream
    ) -> np.ndarray:
        share = uniform_numbers(f"{self._seed} {stream} {parameter.name}", first, count)
        return parameter.settle(_spread(parameter, role.distribution, share))


def _spread(parameter: Parameter, wanted: Distribution, share: np.ndarray) -> np.ndarray:
    """Return what lies at these shares ``(n,)`` of the distribution."""
    if wanted.family == "categorical":
        weights = np.array([wanted.probabilities.get(item, 0.0) for item in parameter.items])
        weights = weights if wanted.probabilities else np.ones(len(parameter.items))
        return np.searchsorted(np.cumsum(weights) / weights.sum(), share, side="right").astype(
            float
        )
    if wanted.family == "uniform" and parameter.kind in ("integer", "seed"):
        # Both ends count as much as what is between them.
        return np.floor(wanted.low + (wanted.high - wanted.low + 1.0) * share)
    return wanted.quantile(share)


def uniform_numbers(key: str, first: int, count: int) -> np.ndarray:
    """Return ``(count,)`` float64 above 0 and below 1: those numbered ``first`` and on of ``key``.

    Each depends on the key and its own number alone.
    """
    digest = hashlib.sha256(key.encode()).digest()
    generator = np.random.Philox(
        key=np.frombuffer(digest[:16], dtype="<u8"), counter=[first, 0, 0, 0]
    )
    # Four numbers come of one value of the counter.
    raw = generator.random_raw(4 * count)[::4] >> np.uint64(12)
    return (raw.astype(np.float64) + 0.5) * 2.0**-52
