# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering with Blender so that it can be taken back: see :func:`gdr_addon.register`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import bpy


def classes(stack: ExitStack, kinds: Iterable[type]) -> None:
    """Register classes, in order."""
    for kind in kinds:
        bpy.utils.register_class(kind)
        stack.callback(bpy.utils.unregister_class, kind)


def attribute(stack: ExitStack, owner: type, name: str, definition: Any) -> None:
    """Give the Blender type ``owner`` a property."""
    setattr(owner, name, definition)
    stack.callback(delattr, owner, name)


def state(stack: ExitStack, name: str, kind: type[bpy.types.PropertyGroup]) -> None:
    """Give the window manager a property group that begins empty and leaves nothing behind.

    Blender keeps the values of a property that was taken away, and would show them again when the
    extension is enabled once more.
    """
    definition = bpy.props.PointerProperty(type=kind, options={"SKIP_SAVE"})
    attribute(stack, bpy.types.WindowManager, name, definition)
    bpy.context.window_manager.property_unset(name)
    stack.callback(_unset_state, name)


def _unset_state(name: str) -> None:
    bpy.context.window_manager.property_unset(name)


def handler(stack: ExitStack, handlers: list, function: Callable) -> None:
    """Append to one of ``bpy.app.handlers``; ``function`` must be marked persistent."""
    handlers.append(function)
    stack.callback(handlers.remove, function)


def timer_removal(stack: ExitStack, function: Callable) -> None:
    """Make sure that the timer ``function`` is gone after unregistering."""
    stack.callback(remove_timer, function)


def remove_timer(function: Callable) -> None:
    """Unregister the timer ``function`` if it runs."""
    if bpy.app.timers.is_registered(function):
        bpy.app.timers.unregister(function)
