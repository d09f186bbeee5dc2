# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device torch computes on."""

from __future__ import annotations

import torch

from gdr_core.errors import BadSettings


def choose(name: str) -> torch.device:
    """Return the device ``name``; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    BadSettings
        Not a device's name, or one that this computer does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadSettings(
            f"The device {name!r} cannot be used ({reason}); choose auto, cpu, cuda or mps."
        ) from error
    return device


def describe(device: torch.device) -> str:
    """Return its name for a person: the GPU's, or how many threads the CPU uses."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"cpu ({torch.get_num_threads()} threads)"
    return str(device)
