# SPDX-License-Identifier: GPL-3.0-or-later
"""The two-way channel between one Blender and one other process."""

from __future__ import annotations

import os
import time
from typing import Any

import zmq

from . import registry
from .credentials import Credentials
from .endpoint import Endpoint
from .errors import ChannelTimeout, PeerLost
from .wire import Limits

HEARTBEAT_TIMEOUT_MS = 2500
"""A peer that leaves heartbeats unanswered for this long is gone."""
CONNECT_TIMEOUT_S = 60.0
"""How long a side that connects waits, in ``recv(None)``, for a peer that has never been there."""
_DRAIN_MS = 50


class Duplex:
    """Sends and receives messages; base of ``btb.DuplexChannel`` and ``btt.DuplexChannel``.

    Not thread-safe: use a channel from the thread that made it. While the main thread is busy,
    ZeroMQ's own thread keeps the connection alive.

    A side that binds serves one client at a time. While it is there, another that connects is left
    waiting and must connect anew once the first has gone.

    Incoming messages are queued without bound (a full queue would stop the heartbeats as well), so
    take them off in time.
    """

    def __init__(
        self,
        address: str,
        btid: int | None,
        lingerms: int,
        timeoutms: int,
        *,
        bind: bool,
        credentials: Credentials | None,
        insecure: bool,
        limits: Limits,
        heartbeat_timeoutms: int,
        zero_copy: bool,
    ) -> None:
        self.btid = btid
        self.timeoutms = timeoutms
        self._bind = bind
        self._endpoint = Endpoint(
            zmq.PAIR,
            [str(address)],
            bind=bind,
            lingerms=lingerms,
            sndhwm=10,
            rcvhwm=0,
            heartbeat_timeoutms=heartbeat_timeoutms,
            keys=credentials,
            insecure=insecure,
            limits=limits,
            zero_copy=zero_copy,
        )
        self.address = self._endpoint.addresses[0]

    @property
    def connected(self) -> bool:
        """Whether the other side is there now."""
        if self._endpoint.closed:
            return False
        self._endpoint.monitor.update()
        return self._endpoint.monitor.connected

    @property
    def peer_lost(self) -> bool:
        """Whether the other side was there and is gone; False again once one is back."""
        if self._endpoint.closed:
            return False
        self._endpoint.monitor.update()
        return self._endpoint.monitor.lost

    def recv(self, timeoutms: int | None = None) -> dict[str, Any] | None:
        """Return the next message.

        Parameters
        ----------
        timeoutms
            How long to wait in ms; 0 looks and returns at once. None waits until there is a message
            or the peer is lost.

        Returns
        -------
        dict or None
            The message, or None when the time is over.

        Raises
        ------
        PeerLost
            If the other side is gone and all it had sent is delivered.
        ChannelTimeout
            With ``timeoutms=None`` on the side that connects, if the other side has never been
            there.
        WireError
            If a message was refused. The channel goes on.
        """
        end = self._open()
        if end.ready():
            return end.receive()
        end.monitor.update()
        if timeoutms == 0 and not end.monitor.lost:
            return None
        started = time.monotonic()
        while True:
            if end.monitor.lost:
                # The news of the end overtakes the last messages by a moment.
                if end.socket.poll(_DRAIN_MS):
                    return end.receive()
                raise PeerLost(self._gone())
            elapsed = time.monotonic() - started
            if timeoutms is not None:
                left = timeoutms - elapsed * 1000
                if left <= 0:
                    return None
            elif self._bind or end.monitor.connected:
                left = None
            else:
                left = (CONNECT_TIMEOUT_S - elapsed) * 1000
                if left <= 0:
                    raise ChannelTimeout(f"Nobody answers at {self.address}, or the keys differ.")
            end.wait(left)
            if end.ready():
                return end.receive()
            end.monitor.update()

    def send(self, **kwargs: Any) -> int:
        """Send a message; the ids `btid` and `btmid` are added to it.

        Returns
        -------
        int
            The message's id, also in the message as ``btmid``.

        Raises
        ------
        TypeError, OverflowError
            For a value that does not travel.
        PeerLost
            If the other side is gone.
        ChannelTimeout
            If it does not take the message within the channel's `timeoutms`.
        """
        end = self._open()
        message_id = int.from_bytes(os.urandom(4), "little")
        frames = end.encode({"btid": self.btid, "btmid": message_id, **kwargs})
        deadline = time.monotonic() + self.timeoutms / 1000
        while True:
            end.monitor.update()
            if end.monitor.lost:
                raise PeerLost(self._gone())
            if end.try_send(frames):
                return message_id
            left = deadline - time.monotonic()
            if left <= 0:
                why = "does not take messages" if end.monitor.connected else "has not connected"
                raise ChannelTimeout(f"The other side of {self.address} {why}.")
            end.wait(left * 1000, to_send=True)

    def close(self) -> None:
        """Close the channel; always returns at once. Unsent messages get `lingerms`."""
        self._endpoint.close()

    def _gone(self) -> str:
        return f"The other side of {self.address} is gone.{registry.explain([self.address])}"

    def _open(self) -> Endpoint:
        if self._endpoint.closed:
            raise ValueError("The channel is closed.")
        return self._endpoint

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
