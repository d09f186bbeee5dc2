# SPDX-License-Identifier: GPL-3.0-or-later
"""The torch side: the launcher, channels and the dataset. torch is loaded with the dataset only."""

from typing import Any

from .. import __version__ as __version__
from ..duplex import wait_any
from . import colors
from .duplex import DuplexChannel
from .finder import discover_blender
from .launch_info import LaunchInfo
from .launcher import BlenderLauncher

__all__ = [
    "BlenderLauncher",
    "DuplexChannel",
    "LaunchInfo",
    "RemoteIterableDataset",
    "colors",
    "discover_blender",
    "wait_any",
]


def __getattr__(name: str) -> Any:
    if name != "RemoteIterableDataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .dataset import RemoteIterableDataset
    except ModuleNotFoundError as err:
        if err.name is None or err.name.partition(".")[0] != "torch":
            raise
        raise ImportError(
            "blendtorch.btt.RemoteIterableDataset needs PyTorch: install `torch` into this Python."
        ) from err
    globals()[name] = RemoteIterableDataset
    return RemoteIterableDataset
