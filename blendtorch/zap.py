# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets in the clients whose key belongs to the run, and nobody else (RFC 27, ZAP).

libzmq asks ``inproc://zeromq.zap.01`` of its context about each new connection. A daemon thread
answers; a socket's ZAP domain is its run's id, and each run has one client key.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading

import zmq
from zmq.utils import z85

from .credentials import Credentials

logger = logging.getLogger(__name__)

_ENDPOINT = "inproc://zeromq.zap.01"
_lock = threading.Lock()
_allowed: dict[str, bytes] = {}
_served: tuple[int, zmq.Context] | None = None


def admit(context: zmq.Context, credentials: Credentials) -> None:
    """Answer for the sockets of `context` whose domain is the run's id; idempotent."""
    global _served
    with _lock:
        _allowed[credentials.run_id] = z85.decode(credentials.client_public)
        if _served is not None and _served[0] == os.getpid() and _served[1] is context:
            return
        socket = context.socket(zmq.REP)
        socket.linger = 0
        socket.bind(_ENDPOINT)
        threading.Thread(target=_serve, args=(socket,), name="blendtorch-zap", daemon=True).start()
        _served = (os.getpid(), context)


def _serve(socket: zmq.Socket) -> None:
    try:
        while True:
            socket.send_multipart(_answer(socket.recv_multipart()))
    except zmq.ZMQError as err:
        if err.errno not in (zmq.ETERM, zmq.ENOTSOCK):
            logger.exception("Authentication of peers has stopped; new peers cannot connect.")
    finally:
        socket.close(0)


def _answer(request: list[bytes]) -> list[bytes]:
    ok = False
    if len(request) >= 7:
        domain, mechanism, key = request[2], request[5], request[6]
        expected = _allowed.get(domain.decode("utf-8", "replace"))
        ok = mechanism == b"CURVE" and expected is not None and hmac.compare_digest(key, expected)
    if not ok:
        logger.warning("A peer without this run's key was turned away.")
    request_id = request[1] if len(request) > 1 else b""
    return [b"1.0", request_id, b"200" if ok else b"400", b"" if ok else b"no", b"", b""]
