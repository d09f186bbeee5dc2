# SPDX-License-Identifier: GPL-3.0-or-later
"""No process outlives the one that started it.

A parent holds the write end of its child's stdin. When the parent ends, by whatever means, the
system closes the pipe, the child's watching thread sees the end of the file and ends the child.
Needs neither bpy nor torch nor zmq; Blender, the trainer and the render workers all use it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

logger = logging.getLogger(__name__)

ENV_LIFELINE = "BLENDTORCH_LIFELINE"
"""Set in a child whose stdin is a lifeline."""
_POLL_S = 1.0
_ON_END_S = 2.0

# Write ends held by this process. A forked child must not keep them open.
_held: weakref.WeakSet[subprocess.Popen] = weakref.WeakSet()


# --- the parent ----------------------------------------------------------------------------------


def spawn(
    cmd: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
) -> subprocess.Popen:
    """Start a child that ends when this process does.

    Parameters
    ----------
    cmd
        Program and arguments.
    env
        The child's whole environment; default: a copy of this process's.
    cwd, stdout, stderr
        As in :class:`subprocess.Popen`.

    Returns
    -------
    subprocess.Popen
        Its ``stdin`` is the lifeline: keep it. End the child with :func:`stop`.
    """
    child_env = dict(os.environ if env is None else env)
    child_env[ENV_LIFELINE] = "1"
    options: dict[str, Any] = {}
    if os.name == "nt":
        # Without its flag a Python started from a window would open a console.
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    child = subprocess.Popen(
        [str(c) for c in cmd],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=child_env,
        cwd=cwd,
        bufsize=0,
        **options,
    )
    _held.add(child)
    return child


def stop(
    processes: subprocess.Popen | Iterable[subprocess.Popen],
    grace: float = 2.0,
    term: float = 3.0,
) -> bool:
    """End children and what they started: close the pipe, wait, terminate, wait, kill.

    Parameters
    ----------
    processes
        What :func:`spawn` returned.
    grace, term
        Seconds to wait after closing the pipe, and after asking to terminate.

    Returns
    -------
    bool
        Whether all are gone.
    """
    if isinstance(processes, subprocess.Popen):
        processes = [processes]
    children = list(processes)
    for child in children:
        _cut(child)
    pending = _await_end(children, grace)
    for child in pending:
        logger.info("Process %d does not end by itself; terminating it.", child.pid)
        _signal_tree(child, hard=False)
    pending = _await_end(pending, term)
    for child in pending:
        logger.warning("Process %d does not terminate; killing it.", child.pid)
        _signal_tree(child, hard=True)
    pending = _await_end(pending, 5.0)
    for child in pending:
        logger.error("Process %d cannot be killed.", child.pid)
    return not pending


def _cut(child: subprocess.Popen) -> None:
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()


def _await_end(children: list[subprocess.Popen], seconds: float) -> list[subprocess.Popen]:
    """Wait for children, sweep what an ended one left in its group, return those that remain."""
    deadline = time.monotonic() + seconds
    pending = list(children)
    while pending:
        pending = [c for c in pending if not _reap(c)]
        if not pending or time.monotonic() >= deadline:
            break
        time.sleep(0.02)
    return pending


def _reap(child: subprocess.Popen) -> bool:
    if child.returncode is not None:
        return True
    if hasattr(os, "waitid"):
        # Look without reaping: as long as the zombie is there, nobody else can have its group's id.
        try:
            gone = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            gone = True
        if not gone:
            return False
        _signal_tree(child, hard=True)
        return child.poll() is not None
    if child.poll() is None:
        return False
    if os.name == "posix":  # macOS, whose Python has no waitid before 3.13
        _signal_tree(child, hard=True)
    return True


def _signal_tree(child: subprocess.Popen, *, hard: bool) -> None:
    if os.name == "nt":
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(child.pid)],
            capture_output=True,
            check=False,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL if hard else signal.SIGTERM)
        if not hard:
            os.killpg(child.pid, signal.SIGCONT)  # one that has been stopped could not act on it


def _close_in_forked_child() -> None:
    for child in list(_held):
        _cut(child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked_child)


# --- the child -----------------------------------------------------------------------------------


def launched() -> bool:
    """Whether :func:`spawn` started this process."""
    return os.environ.get(ENV_LIFELINE) == "1"


def watch(on_end: Callable[[], None] | None = None, exit_code: int = 0) -> threading.Thread:
    """End this process when its parent is gone or lets go of the pipe.

    Call it as early as possible, once. A daemon thread waits, so it works while the main thread is
    busy in Python. stdin is taken over; afterwards it reads as empty.

    Parameters
    ----------
    on_end
        Called in a thread before the end, to tidy up; it gets two seconds.
    exit_code
        The process's exit code then.

    Returns
    -------
    threading.Thread
        The thread that watches.
    """
    # Off the standard descriptor, so that neither input() nor this process's own children share it.
    pipe = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    parent = os.getppid() if os.name == "posix" else None

    def run() -> None:
        _wait_for_end(pipe, parent)
        # In a thread of its own, because it can hang (a full output pipe, a lock), and the end
        # cannot.
        with contextlib.suppress(RuntimeError):  # no new threads while the interpreter shuts down
            tidy = threading.Thread(target=_tidy_up, args=(on_end,), daemon=True)
            tidy.start()
            tidy.join(_ON_END_S)
        os._exit(exit_code)

    thread = threading.Thread(target=run, name="blendtorch-lifeline", daemon=True)
    thread.start()
    return thread


def _tidy_up(on_end: Callable[[], None] | None) -> None:
    if on_end is not None:
        with contextlib.suppress(Exception):
            on_end()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _wait_for_end(pipe: int, parent: int | None) -> None:
    while True:
        if parent is not None:
            # A copy of the write end may live on in a fork of the parent; its id cannot.
            if os.getppid() != parent:
                return
            if not select.select([pipe], [], [], _POLL_S)[0]:
                continue
        try:
            if not os.read(pipe, 4096):
                return
        except OSError:
            return
