# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint belongs to: the estimator, the scene and the parameters of its run.

It stands in the header of the file and is compared before a run that is resumed changes anything.
No torch here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from gdr_core import settings as settings_module
from gdr_core.errors import GdrError
from gdr_core.settings import RunSettings

SCHEMA = 2
"""Of checkpoints."""


def of(settings: RunSettings) -> dict[str, str]:
    """Return the identity of a run with these settings, which are filled."""
    parameters = _floats(settings_module.to_dict(settings)["parameters"])
    return {
        "estimator": settings.training.estimator,
        "scene": settings.scene.resolve().digest,
        "parameters": hashlib.sha256(json.dumps(parameters).encode()).hexdigest()[:16],
    }


def _floats(plain: Any) -> Any:
    """Return plain data in which 1 and 1.0 are the same."""
    if isinstance(plain, dict):
        return {key: _floats(value) for key, value in plain.items()}
    if isinstance(plain, (list, tuple)):
        return [_floats(value) for value in plain]
    return float(plain) if isinstance(plain, int) and not isinstance(plain, bool) else plain


def header(path: Path) -> dict[str, str]:
    """Return the header of a checkpoint.

    Raises
    ------
    GdrError
        There is no such file, or it is not a checkpoint of this version.
    """
    if not path.is_file():
        raise GdrError(
            f"There is no checkpoint {path}, so the run cannot go on; start a new one with "
            f"--config {path.with_name('config.toml')}."
        )
    try:
        with safe_open(path, framework="np") as file:
            found = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise GdrError(f"{path} is not a readable checkpoint: {error}.") from error
    if found.get("schema") != str(SCHEMA):
        raise GdrError(
            f"{path} is a checkpoint of another version of this program; start a new run with "
            f"--config {path.with_name('config.toml')}."
        )
    return found


def check(path: Path, settings: RunSettings) -> None:
    """Raise :class:`GdrError` unless the run with these settings can go on with a checkpoint."""
    theirs, ours = json.loads(header(path)["identity"]), of(settings)
    if theirs["estimator"] != ours["estimator"]:
        raise GdrError(
            f"The run in {path.parent} used the estimator {theirs['estimator']}; it can only go on "
            f"with that one."
        )
    for what, name in (
        ("scene", "another scene, or the same one with other settings"),
        ("parameters", "other parameters, or the same ones with other roles"),
    ):
        if theirs[what] != ours[what]:
            raise GdrError(
                f"The run in {path.parent} is about {name}; put its config.toml back as it was, or "
                f"start a new run."
            )
