# SPDX-License-Identifier: GPL-3.0-or-later
"""Children end with their parents, and when they are asked to."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest
from channel_helpers import ROOT, alive, wait_for

from blendtorch import lifeline

WATCH = "from blendtorch import lifeline; lifeline.watch(exit_code=3); print('up', flush=True)\n"
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def spawn(code: str) -> subprocess.Popen:
    child = lifeline.spawn([sys.executable, "-c", code], env=ENV, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"up\n"
    return child


@pytest.fixture
def child(request):
    process = spawn(request.param)
    yield process
    lifeline.stop(process, 0, 0)
    process.stdout.close()


@pytest.mark.parametrize("child", [WATCH + "while True: pass"], indirect=True)
def test_closing_the_pipe_ends_a_busy_child(child):
    started = time.monotonic()
    assert lifeline.stop(child)
    assert time.monotonic() - started < 5.0
    assert child.returncode == 3


@pytest.mark.parametrize(
    "child",
    [
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\nwhile True: time.sleep(1)"
    ],
    indirect=True,
)
def test_a_stubborn_child_is_killed(child):
    assert lifeline.stop(child, grace=0.2, term=0.2)
    assert child.returncode == -9


@pytest.mark.parametrize(
    "child",
    [
        WATCH.replace("exit_code=3", "on_end=lambda: __import__('time').sleep(60)")
        + "while True: pass"
    ],
    indirect=True,
)
def test_tidying_up_cannot_hold_up_the_end(child):
    assert lifeline.stop(child, grace=4.0)
    assert child.returncode == 0


@pytest.mark.parametrize(
    "child", [WATCH + "print(repr(input), flush=True); input()"], indirect=True
)
def test_stdin_reads_as_empty(child):
    child.wait(10)
    assert child.returncode in (1, 3)


def test_a_python_without_waitid_ends_what_a_child_leaves_behind(monkeypatch):
    monkeypatch.delattr(os, "waitid")  # macOS before Python 3.13
    left = "import time; time.sleep(60)"
    code = (
        WATCH + "import subprocess, sys, time\n"
        f"print(subprocess.Popen([sys.executable, '-c', {left!r}]).pid, flush=True); time.sleep(60)"
    )
    process = spawn(code)
    grandchild = int(process.stdout.readline())
    assert alive(grandchild)
    assert lifeline.stop(process)
    wait_for(lambda: not alive(grandchild), 5.0)
    process.stdout.close()


@pytest.mark.parametrize("child", [WATCH + "while True: pass"], indirect=True)
def test_a_fork_of_the_parent_does_not_keep_a_child_alive(child):
    fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    fork.start()
    try:
        assert lifeline.stop(child)
        assert child.returncode == 3
    finally:
        fork.kill()
        fork.join()


def test_a_grandchild_ends_when_the_first_is_killed():
    code = (
        WATCH + "import sys, time\n"
        f"g = lifeline.spawn([sys.executable, '-c', {WATCH + 'while True: pass'!r}])\n"
        "print(g.pid, flush=True); time.sleep(60)"
    )
    process = spawn(code)
    words = (process.stdout.readline() + process.stdout.readline()).split()
    grandchild = next(int(w) for w in words if w.isdigit())
    assert alive(grandchild)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5.0
    while alive(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.stdin.close()
    process.stdout.close()
