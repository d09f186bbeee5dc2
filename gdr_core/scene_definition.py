# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of scene says of itself to everything that works with any scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .families import Distribution
from .roles import Role
from .scene import Parameter


class SceneOptions(Protocol):
    """The own settings of a kind of scene: a frozen msgspec struct, with a default for each."""

    def filled(self, size: int) -> SceneOptions:
        """Return the options with what is left to the image size of so many pixels."""
        ...

    def check(self) -> None:
        """Raise BadSettings with the first thing that is wrong and how to mend it."""
        ...


@dataclass(frozen=True)
class SceneDefinition:
    """A kind of scene.

    Attributes
    ----------
    name
        Its identifier.
    label
        For people.
    parameters
        All of them, in the order of a row's columns.
    options
        The type of its own settings.
    renderers
        Those that can draw it, of :data:`gdr_core.settings.RENDERERS`; the default first.
    example
        Roles of a run that names none.
    example_targets
        The hidden distribution that a run of the example looks for.
    unlisted
        Roles of parameters that a run does not name; all others are fixed at their default then.
    """

    name: str
    label: str
    parameters: tuple[Parameter, ...]
    options: type[SceneOptions]
    renderers: tuple[str, ...]
    example: Mapping[str, Role]
    example_targets: Mapping[str, Distribution]
    unlisted: Mapping[str, Role] = field(default_factory=dict)
