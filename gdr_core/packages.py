# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trainer's Python must have installed. The trainer itself comes with the extension."""

from __future__ import annotations

TRAINER_PACKAGES = (
    "filelock",
    "matplotlib",
    "msgspec",
    "numpy",
    "pillow",
    "psutil",
    "pyzmq",
    "rich",
    "safetensors",
    "tensorboard",
    "tifffile",
    "tomli-w",
    "torch",
)
"""Names on PyPI; the ``dependencies`` of ``pyproject.toml``."""
