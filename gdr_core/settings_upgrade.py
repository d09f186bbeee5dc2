# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what earlier versions wrote as ``config.toml``."""

from __future__ import annotations

from typing import Any


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """Return plain settings in today's layout; those of today as they are.

    Schema 1 knew one scene. Its grid and camera stood under ``rendering``, and a parameter had a
    value or a distribution, where it has a role today.
    """
    if data.get("schema", 1) != 1 or not _is_first(data):
        return data
    rendering = dict(data.get("rendering", {}))
    options = {name: rendering.pop(name) for name in ("grid", "camera") if name in rendering}
    upgrade = data | {"schema": 2, "rendering": rendering}
    if options:
        upgrade["scene"] = {"options": options}
    if isinstance(data.get("parameters"), dict):
        upgrade["parameters"] = {name: _role(old) for name, old in data["parameters"].items()}
    return upgrade


def _is_first(data: dict[str, Any]) -> bool:
    """Whether these are settings of schema 1: they say so, or have what only that one has, and
    nothing that it did not have.

    A file that a person writes need not name its schema.
    """
    rendering, parameters = data.get("rendering", {}), data.get("parameters", {})
    if not isinstance(rendering, dict) or not isinstance(parameters, dict) or "scene" in data:
        return False
    old = [value for value in parameters.values() if isinstance(value, dict)]
    if any("role" in value for value in old):
        return False
    return "schema" in data or bool(old) or bool({"grid", "camera"} & rendering.keys())


def _role(old: Any) -> Any:
    if not isinstance(old, dict):
        return old
    if "distribution" in old:
        return {"role": "optimise", "distribution": old["distribution"]}
    return {"role": "fixed", **old}
