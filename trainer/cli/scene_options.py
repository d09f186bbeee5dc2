# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which scene is rendered, the same for every verb that renders."""

from __future__ import annotations

import argparse
import tomllib

import msgspec

from gdr_core.errors import BadSettings
from gdr_core.settings import SceneSettings

NAMES = ("scene_option",)
"""Of the arguments that :func:`add_to` adds."""


def add_to(group: argparse._ActionsContainer) -> None:
    """Declare the options."""
    group.add_argument(
        "--scene-option",
        metavar="NAME=VALUE",
        action="append",
        help="a setting of the scene's own, as TOML has it: grid=[50,50] (repeat)",
    )


def applied(base: SceneSettings, args: argparse.Namespace) -> SceneSettings:
    """Return the settings with the options that were given; they are checked."""
    given = dict(_read(text) for text in args.scene_option or ())
    scene = msgspec.structs.replace(base, options=base.options | given)
    scene.check()
    return scene


def _read(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        fault = f"cannot be read ({error})" if equals else "has no value"
        raise BadSettings(
            f"The scene option {text!r} {fault}; write NAME=VALUE, as in grid=[50,50]."
        ) from None
