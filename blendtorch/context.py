# SPDX-License-Identifier: GPL-3.0-or-later
"""The ZeroMQ context of this process, and an orderly end of it.

One context serves all sockets. A forked child (a worker of a ``DataLoader``) gets its own. At exit
all channels are closed, and what they still have to send gets the time that their ``lingerms``
allows.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading

import zmq

# Before :func:`_shutdown` is registered below, because exit handlers run last in, first out. This
# module owns the memory of frames that go out uncopied and frees it in an exit handler of its own.
# pyzmq imports it with the first such frame, so that its handler would come before ours, which
# still sends.
import zmq.utils.garbage

MAX_LINGER_MS = 30_000
"""No socket lingers longer, so that closing and exiting always come to an end."""


_lock = threading.Lock()
_context: zmq.Context | None = None
_pid: int | None = None
# What is open, and the process that opened it. Held here, so that the garbage collector never takes
# the sockets of a channel before the channel, in an order of its own.
_open: dict[contextlib.ExitStack, int] = {}


def shared_context() -> zmq.Context:
    """Return this process's context."""
    global _context, _pid
    with _lock:
        if _context is None or _pid != os.getpid() or _context.closed:
            _context = zmq.Context(io_threads=1)
            _pid = os.getpid()
        return _context


def keep_open() -> contextlib.ExitStack:
    """Return a stack for what a channel opens, closed by :func:`close` or at exit."""
    opened = contextlib.ExitStack()
    _open[opened] = os.getpid()
    return opened


def close(opened: contextlib.ExitStack) -> None:
    """Close what is on a stack of :func:`keep_open`, the latest first, unless it is closed.

    A forked child only forgets it: what it has is a copy, and still in use by its parent.
    """
    pid = _open.pop(opened, None)
    if pid is not None and pid == os.getpid():
        opened.close()


def bounded_linger(lingerms: int | None) -> int:
    """Return the linger time in ms; endless (negative or None) becomes :data:`MAX_LINGER_MS`."""
    if lingerms is None or lingerms < 0:
        return MAX_LINGER_MS
    return min(int(lingerms), MAX_LINGER_MS)


@atexit.register
def _shutdown() -> None:
    if _context is None or _pid != os.getpid() or _context.closed:
        return
    for opened in list(_open):
        close(opened)
    # Every socket is closed with a bounded linger or leaves its thread on ETERM, so this ends.
    _context.term()


def _forget_in_child() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
