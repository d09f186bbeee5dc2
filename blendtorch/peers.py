# SPDX-License-Identifier: GPL-3.0-or-later
"""Knows whether the other side of a socket is there.

libzmq reports connections on a monitor socket, from its own thread, so a side that is busy in
Python still counts as alive. A kill closes the connection; a side that has been stopped (SIGSTOP, a
machine that hangs) fails to answer the heartbeats and is disconnected for it.
"""

from __future__ import annotations

import itertools
import struct
import time

import zmq

from .context import shared_context

_EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
)
_SETTLE_S = 0.05  # the news of an end overtakes the last messages by a moment
_serial = itertools.count()


class _Endpoint:
    """Connections of one endpoint of ours."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.peer: int | None = None  # descriptor of the admitted connection, where known
        self.connected = False
        self.lost = False


class PeerMonitor:
    """Follows the connections of a socket. Create it before the socket binds or connects.

    A refused stranger is never taken for the peer: what counts is a completed handshake, and of the
    connections that are open at that time the one that messages come from (:meth:`heard`).
    """

    def __init__(self, socket: zmq.Socket) -> None:
        self._watched = socket
        # First what may fail, for a watched socket without its receiver halts libzmq's thread.
        self.socket = shared_context().socket(zmq.PAIR)
        # Unlimited: libzmq's I/O thread must never wait for us to look at an event.
        self.socket.rcvhwm = 0
        self.socket.linger = 0
        address = f"inproc://blendtorch.monitor.{id(self)}.{next(_serial)}"
        socket.monitor(address, _EVENTS)
        self.socket.connect(address)
        self._endpoints: dict[bytes, _Endpoint] = {}
        self.handshakes = 0
        """How many connections have been made and admitted so far."""
        self._settled_at = 0.0

    def update(self) -> None:
        """Take in what has happened since the last look. Costs a microsecond if nothing has."""
        while self.socket.get(zmq.EVENTS) & zmq.POLLIN:
            frames = self.socket.recv_multipart(zmq.NOBLOCK)
            event, value = struct.unpack("=hi", frames[0][:6])
            self._apply(event, value, frames[1] if len(frames) > 1 else b"")

    def _apply(self, event: int, value: int, address: bytes) -> None:
        state = self._endpoints.setdefault(address, _Endpoint())
        if event in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
            state.open.add(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.handshakes += 1
            if not state.connected:
                state.peer = next(iter(state.open)) if len(state.open) == 1 else None
            state.connected, state.lost = True, False
        elif event == zmq.EVENT_DISCONNECTED:
            state.open.discard(value)
            if state.connected and (value == state.peer or not state.open):
                state.connected, state.lost, state.peer = False, True, None
                self._settled_at = time.monotonic() + _SETTLE_S

    def heard(self, descriptor: int) -> None:
        """Note the connection that a message came from."""
        self.update()
        for state in self._endpoints.values():
            if descriptor in state.open:
                state.connected, state.lost, state.peer = True, False, descriptor

    @property
    def connected(self) -> bool:
        """Whether any peer is there now."""
        return any(s.connected for s in self._endpoints.values())

    @property
    def lost(self) -> bool:
        """Whether a peer was there, and none is now."""
        return not self.connected and any(s.lost for s in self._endpoints.values())

    @property
    def settling_ms(self) -> float:
        """How long the last messages of a peer that is gone may still take to come in, in ms.

        Positive for a moment after the news of its end, then 0.
        """
        return max(0.0, self._settled_at - time.monotonic()) * 1000

    @property
    def lost_addresses(self) -> list[str]:
        """Endpoints of ours whose peer is gone."""
        return [a.decode() for a, s in self._endpoints.items() if s.lost and not s.connected]

    def close(self) -> None:
        """Stop watching."""
        self._watched.disable_monitor()
        self.socket.close(0)
