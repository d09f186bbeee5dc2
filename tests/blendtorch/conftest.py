# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the channels and the launcher share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from channel_helpers import ROOT, SCRIPTS, wait_for

from blendtorch import btb, btt, lifeline
from blendtorch.credentials import Credentials


@pytest.fixture
def scripts() -> Path:
    """The folder of the scripts that run in children."""
    return SCRIPTS


@pytest.fixture
def keys() -> Credentials:
    """Keys of a run."""
    return Credentials.new()


@pytest.fixture
def pair(keys):
    """Two channels of this process that are connected, Blender's side first."""
    with (
        btb.DuplexChannel("tcp://127.0.0.1:*", 7, credentials=keys) as server,
        btt.DuplexChannel(server.address, credentials=keys) as client,
    ):
        wait_for(lambda: server.connected and client.connected)
        yield server, client


@pytest.fixture
def start(keys):
    """Start a script in a Python child with the run's keys; all are stopped at the end."""
    children = []

    def run(script: str, *args: object, **kwargs) -> subprocess.Popen:
        env = {**os.environ, **keys.to_env(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        child = lifeline.spawn(
            [sys.executable, SCRIPTS / script, *args], env=env, stdout=subprocess.PIPE, **kwargs
        )
        children.append(child)
        return child

    yield run
    assert lifeline.stop(children)
    for child in children:
        child.stdout.close()
