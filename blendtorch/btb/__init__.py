# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side: channels, and with bpy the animation, the camera and pictures of the scene."""

from importlib import import_module
from typing import Any

from .. import __version__ as __version__
from .arguments import parse_blendtorch_args
from .duplex import DuplexChannel
from .publisher import DataPublisher
from .signal import Signal

_NEED_BPY = {
    "AnimationController": "animation",
    "Camera": "camera",
    "OffScreenRenderer": "offscreen",
    "add_scene_dir_to_path": "paths",
    "ensure_gpu": ".headless",
    "utils": None,
}

__all__ = [
    "DataPublisher",
    "DuplexChannel",
    "Signal",
    "parse_blendtorch_args",
    *_NEED_BPY,
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_BPY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _NEED_BPY[name]
    try:
        loaded = import_module(f".{module or name}", __name__)
    except ModuleNotFoundError as err:
        if err.name not in ("bpy", "gpu", "mathutils"):
            raise
        raise ImportError(
            f"blendtorch.btb.{name} works inside Blender only: run the script with BlenderLauncher "
            "or `blender --python`, or install the `bpy` package into this Python."
        ) from err
    value = loaded if module is None else getattr(loaded, name)
    globals()[name] = value
    return value
