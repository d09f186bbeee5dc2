# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of scene by name. A new one is a folder beside this file, and a line here."""

from __future__ import annotations

from typing import Any

import msgspec

from .errors import BadSettings
from .scene import Scene
from .scene_definition import SceneDefinition, SceneOptions
from .supershape.scene import SUPERSHAPE

DEFINITIONS: dict[str, SceneDefinition] = {SUPERSHAPE.name: SUPERSHAPE}
DEFAULT = SUPERSHAPE.name
"""The scene of a run that names none."""


def definition(name: str) -> SceneDefinition:
    """Return the kind of scene of that name, else raise :class:`BadSettings`."""
    if name not in DEFINITIONS:
        raise BadSettings(
            f"There is no scene named {name!r}; choose one of {', '.join(DEFINITIONS)}."
        )
    return DEFINITIONS[name]


def typed_options(name: str, options: dict[str, Any]) -> SceneOptions:
    """Return the own settings of a kind of scene, from plain data.

    Raises
    ------
    BadSettings
        No such scene, an option that it does not have, or a value of the wrong type.
    """
    kind = definition(name).options
    known = kind.__struct_fields__
    for option in options:
        if option not in known:
            raise BadSettings(
                f"The scene {name} has no option {option!r}; it has {', '.join(known)}."
            )
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        raise BadSettings(f"The options of the scene {name} cannot be used: {error}.") from error


def filled_options(name: str, options: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the options as plain data, with what is left to images of ``size`` pixels."""
    plain = msgspec.to_builtins(typed_options(name, options).filled(size))
    return {option: value for option, value in plain.items() if value is not None}


def filled(scene: Scene, size: int) -> Scene:
    """Return the scene with all that its options leave to images of ``size`` pixels."""
    return msgspec.structs.replace(scene, options=filled_options(scene.name, scene.options, size))
