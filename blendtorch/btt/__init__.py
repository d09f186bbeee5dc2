# SPDX-License-Identifier: GPL-3.0-or-later
"""The torch side: the launcher, channels and datasets. torch is loaded with the datasets only."""

from importlib import import_module
from typing import Any

from .. import __version__ as __version__
from ..duplex import wait_any
from ..recording import FileReader, FileRecorder
from . import colors
from .duplex import DuplexChannel
from .finder import discover_blender
from .launch_info import LaunchInfo
from .launcher import BlenderLauncher

__all__ = [
    "BlenderLauncher",
    "DuplexChannel",
    "FileDataset",
    "FileReader",
    "FileRecorder",
    "LaunchInfo",
    "RemoteIterableDataset",
    "colors",
    "discover_blender",
    "wait_any",
]


_NEED_TORCH = {"FileDataset": "file_dataset", "RemoteIterableDataset": "dataset"}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f".{_NEED_TORCH[name]}", __name__), name)
    except ModuleNotFoundError as err:
        if err.name is None or err.name.partition(".")[0] != "torch":
            raise
        raise ImportError(
            f"blendtorch.btt.{name} needs PyTorch: install `torch` into this Python."
        ) from err
    globals()[name] = value
    return value
