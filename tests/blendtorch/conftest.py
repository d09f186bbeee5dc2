# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the channels and the launcher share."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from blendtorch import btb, btt, lifeline  # noqa: E402
from blendtorch.credentials import Credentials  # noqa: E402

SCRIPTS = Path(__file__).parent / "scripts"


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


def wait_for(condition, seconds: float = 20.0) -> float:
    """Wait until the condition holds; return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "the condition did not come about in time"
        time.sleep(0.01)
    return time.monotonic() - started


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
