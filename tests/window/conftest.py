# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests in a window: the built extension, and targets for a run."""

import os
import subprocess
import sys
from pathlib import Path

import build_addon
import pytest
from harness import REPOSITORY, install_extension
from window_blender import blender as blender


@pytest.fixture(scope="session")
def archive() -> Path:
    """Return the path of a fresh build of the extension."""
    return build_addon.build()


@pytest.fixture
def installed(blender, archive, tmp_path) -> Path:
    """Return settings of a Blender in which the extension is installed and enabled."""
    resources = tmp_path / "resources"
    install_extension(blender, archive, resources)
    return resources


@pytest.fixture(scope="session")
def targets(tmp_path_factory) -> Path:
    """Return a folder of 64 images of the reference's truth."""
    folder = tmp_path_factory.mktemp("targets")
    command = [sys.executable, "-m", "trainer", "render", "--count", "64", "--seed", "7"]
    command += ["--distribution", "m1=2.25:0.1", "--distribution", "m2=2.25:0.1"]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([*command, "--out", str(folder)], check=True, cwd=folder, env=env)
    return folder
