# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints without pickle: tensors in a safetensors file, the rest as JSON in its header.

One file a checkpoint, replaced atomically, so a run killed at any moment has a whole one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gdr_core.errors import GdrError

from .. import files
from . import identity


def save(path: Path, state: dict[str, Any], belongs_to: dict[str, str]) -> None:
    """Write nested dicts and lists of tensors, numbers, strings, booleans and None.

    Parameters
    ----------
    belongs_to
        The run's :func:`.identity.of`.
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _split(state, tensors, "t")
    header = {
        "schema": str(identity.SCHEMA),
        "identity": json.dumps(belongs_to),
        "state": json.dumps(tree),
    }
    fresh = path.with_name(path.name + ".new")
    save_file(tensors, fresh, metadata=header)
    files.replace(fresh, path)


def load(path: Path) -> dict[str, Any]:
    """Read what :func:`save` wrote, tensors on the CPU.

    Raises
    ------
    GdrError
        There is no such file, or it is not a checkpoint of this version.
    """
    header = identity.header(path)
    try:
        with safe_open(path, framework="pt") as file:
            # Copies: these are maps of the file, which Windows would not let the next checkpoint
            # replace while an optimiser still holds one.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return _join(json.loads(header["state"]), tensors)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise GdrError(f"{path} is not a readable checkpoint: {error}.") from error


def _split(value: Any, tensors: dict[str, torch.Tensor], name: str) -> Any:
    if isinstance(value, torch.Tensor):
        # A copy: safetensors refuses tensors that share memory.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        keys = list(value)
        items = [_split(item, tensors, f"{name}.{i}") for i, item in enumerate(value.values())]
        return {"keys": keys, "items": items}
    if isinstance(value, (list, tuple)):
        return [_split(item, tensors, f"{name}.{i}") for i, item in enumerate(value)]
    return value


def _join(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        items = [_join(item, tensors) for item in value["items"]]
        return dict(zip(value["keys"], items, strict=True))
    if isinstance(value, list):
        return [_join(item, tensors) for item in value]
    return value
