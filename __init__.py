# SPDX-License-Identifier: GPL-3.0-or-later
"""Guided domain randomization in Blender: the repository's root is the extension's root."""


def register() -> None:
    """Add everything to Blender (called when the extension is enabled)."""
    from . import gdr_addon

    gdr_addon.register()


def unregister() -> None:
    """Take everything away again (called when the extension is disabled)."""
    from . import gdr_addon

    gdr_addon.unregister()
