# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cycles computes on, which is a preference in Blender and no setting of a scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ...gdr_core.errors import BadSettings

_TYPES = ("OPTIX", "CUDA", "HIP", "METAL", "ONEAPI")
"""Cycles' names for kinds of GPU, the fastest way to each first."""


def type_of(device: str) -> str:
    """Return one of :data:`_TYPES`, or ``NONE`` for the CPU.

    Parameters
    ----------
    device
        ``cpu``, ``gpu``, or ``auto`` for a GPU if there is one.

    Raises
    ------
    BadSettings
        ``gpu`` where Cycles finds none.
    """
    if device == "cpu":
        return "NONE"
    preferences = _preferences()
    preferences.refresh_devices()
    built_for = {item[0] for item in preferences.get_device_types(bpy.context)}
    for kind in _TYPES:
        if kind in built_for and preferences.get_devices_for_type(kind):
            return kind
    if device == "auto":
        return "NONE"
    raise BadSettings(
        "Cycles finds no GPU that it can use on this computer; choose the device auto or cpu."
    )


@contextmanager
def rendering_device(kind: str) -> Iterator[None]:
    """Let Cycles use all GPUs of a kind; the person's choice is put back afterwards."""
    if kind == "NONE":  # The scene says CPU, and the preferences do not matter.
        yield
        return
    preferences = _preferences()
    # The list that holds the devices may move where a new one is found; not after this.
    preferences.refresh_devices()
    chosen = preferences.compute_device_type
    preferences.compute_device_type = kind
    devices = preferences.get_devices_for_type(kind)
    used = [device.use for device in devices]
    try:
        for device in devices:
            device.use = device.type != "CPU"
        yield
    finally:
        for device, use in zip(devices, used, strict=True):
            device.use = use
        preferences.compute_device_type = chosen


def _preferences():
    return bpy.context.preferences.addons["cycles"].preferences
