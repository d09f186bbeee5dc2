# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside Blender. Importing this package needs no ``bpy``; registering does."""

from __future__ import annotations

from contextlib import ExitStack

_undo: ExitStack | None = None


def register() -> None:
    """Register every part; when one of them fails, take back those before it.

    Each part is a function that is handed a stack, does its registering, and pushes the undoing
    of each thing it did. Unregistering is closing the stack: the exact reverse, and an error in
    one undoing neither hides itself nor stops the others.
    """
    global _undo
    if _undo is not None:
        raise RuntimeError("GDR is registered already.")
    from . import operators, panels, scenes
    from .run import contact_sheet, controller, handlers, trainer_check
    from .settings import defaults, preferences, properties

    parts = (
        properties,
        scenes,
        preferences,
        operators,
        panels,
        contact_sheet,
        defaults,
        trainer_check,
        controller,
        handlers,
    )
    with ExitStack() as stack:
        for part in parts:
            part.register(stack)
        _undo = stack.pop_all()


def unregister() -> None:
    """Undo :func:`register`."""
    global _undo
    if _undo is None:
        return
    stack, _undo = _undo, None
    stack.close()
