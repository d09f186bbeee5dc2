# SPDX-License-Identifier: GPL-3.0-or-later
"""The two-way channel between one Blender and one other process."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterable
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
_ROOM_MS = 5
_HELLO = b""  # the first frame a client sends, so that the binding side knows whom to send to
_BYE = b"bye"

logger = logging.getLogger(__name__)


class Duplex:
    """Sends and receives messages; base of ``btb.DuplexChannel`` and ``btt.DuplexChannel``.

    Not thread-safe: use a channel from the thread that made it. While the main thread is busy,
    ZeroMQ's own thread keeps the connection alive.

    A side that binds has one client at a time, the newest: one that connects while another is there
    takes its place, and the other gets :class:`.PeerLost`.

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
        raise_lost: bool,
        credentials: Credentials | None,
        insecure: bool,
        limits: Limits,
        heartbeat_timeoutms: int,
        zero_copy: bool,
    ) -> None:
        self.btid = btid
        self.timeoutms = timeoutms
        self._bind = bind
        self._raise_lost = raise_lost
        self._client: bytes | None = None  # the binding side's peer
        self._retired: set[bytes] = set()
        self._replaced = False
        self._inbox: deque[list[zmq.Frame]] = deque()
        self._greetings = 1
        # Not PAIR: it leaves a client that comes before the last one's connection is cleared away
        # connected to nobody, for ever.
        self._endpoint = Endpoint(
            zmq.ROUTER if bind else zmq.DEALER,
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
            routing_id=None if bind else b"c" + os.urandom(16),
        )
        self.address = self._endpoint.addresses[0]
        if not bind:
            self._endpoint.try_send([_HELLO])

    @property
    def connected(self) -> bool:
        """Whether the other side is there now."""
        if self._endpoint.closed:
            return False
        self._look()
        return self._endpoint.monitor.connected and not self._replaced

    @property
    def peer_lost(self) -> bool:
        """Whether the other side was there and is gone; False again once one is back."""
        if self._endpoint.closed:
            return False
        self._look()
        return self._endpoint.monitor.lost or self._replaced

    def recv(self, timeoutms: int | None = None) -> dict[str, Any] | None:
        """Return the next message.

        Parameters
        ----------
        timeoutms
            How long to wait in ms; 0 looks and returns at once, also from a peer that has just been
            lost. None waits until there is a message or the peer is lost.

        Returns
        -------
        dict or None
            The message, or None when the time is over.

        Raises
        ------
        PeerLost
            If the other side is gone and all it had sent is delivered. A side that binds may go on
            instead, see `raise_lost` of ``btb.DuplexChannel``.
        ChannelTimeout
            With ``timeoutms=None`` on the side that connects, if the other side has never been
            there.
        WireError
            If a message was refused. The channel goes on.
        """
        end = self._open()
        started = time.monotonic()
        while True:
            self._look()
            lost, settling = end.monitor.lost, end.monitor.settling_ms
            frames = self._next()  # after the clock: once it has settled, all of a peer's is here
            if frames is not None:
                return end.decode(frames)
            if self._replaced or (lost and settling <= 0 and self._raise_lost):
                raise PeerLost(self._gone())
            elapsed = time.monotonic() - started
            if timeoutms is not None:
                left = timeoutms - elapsed * 1000
                if left <= 0:
                    return None
            elif lost or self._bind or end.monitor.connected:
                left = None
            else:
                left = (CONNECT_TIMEOUT_S - elapsed) * 1000
                if left <= 0:
                    raise ChannelTimeout(
                        f"Nobody answers at {self.address}, or the keys differ."
                        f"{registry.explain([self.address])}"
                    )
            if settling > 0:
                left = settling if left is None else min(left, settling)
            end.wait(left)

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
            If the other side is gone, where :meth:`recv` raises it too.
        ChannelTimeout
            If it does not take the message within the channel's `timeoutms`.
        """
        end = self._open()
        message_id = int.from_bytes(os.urandom(4), "little")
        frames = end.encode({"btid": self.btid, "btmid": message_id, **kwargs})
        deadline = time.monotonic() + self.timeoutms / 1000
        while True:
            self._look()
            if self._replaced or (end.monitor.lost and self._raise_lost):
                raise PeerLost(self._gone())
            if not self._bind:
                sent = end.try_send(frames)
            else:
                sent = self._client is not None and end.try_send([self._client, *frames])
            if sent:
                return message_id
            left = (deadline - time.monotonic()) * 1000
            if left <= 0:
                why = "does not take messages" if end.monitor.connected else "has not connected"
                raise ChannelTimeout(f"The other side of {self.address} {why}.")
            if self._bind:  # a ROUTER does not tell when there is room
                self._pump()
                end.wait(min(left, _ROOM_MS), zmq.POLLIN)
            else:
                end.wait(left, zmq.POLLOUT)

    def close(self) -> None:
        """Close the channel; always returns at once. Unsent messages get `lingerms`."""
        self._endpoint.close()

    # --- who is there ----------------------------------------------------------------------------

    def _look(self) -> None:
        """Take in the news of the peer."""
        end = self._endpoint
        end.monitor.update()
        if self._bind:
            if end.monitor.lost or self._client is None:
                # A new client may already have said hello.
                self._pump()
        elif end.monitor.handshakes > self._greetings and end.try_send([_HELLO]):
            self._greetings = end.monitor.handshakes

    def _pump(self) -> None:
        """Put what waits aside, for the sake of the greetings in it."""
        while (frames := self._receive()) is not None:
            self._inbox.append(frames)

    def _next(self) -> list[zmq.Frame] | None:
        """Return the frames of the next message, if there is one."""
        return self._inbox.popleft() if self._inbox else self._receive()

    def _receive(self) -> list[zmq.Frame] | None:
        end = self._endpoint
        while end.ready():
            frames = end.receive_frames()
            if self._bind and not self._admit(frames.pop(0).bytes):
                continue
            if len(frames) == 1 and len(frames[0]) <= len(_BYE):
                if len(frames[0]) == 0:
                    continue
                if not self._bind and frames[0].bytes == _BYE:
                    self._replaced = True
                    continue
            return frames
        return None

    def _admit(self, client: bytes) -> bool:
        """Whether a message of `client` counts; a new one becomes the client."""
        if client in self._retired:
            return False
        if client != self._client:
            if self._client is not None:
                logger.info("A new client at %s takes the place of the last one.", self.address)
                self._retired.add(self._client)
                self._endpoint.try_send([self._client, _BYE])
            self._client = client
        return True

    def _gone(self) -> str:
        if self._replaced:
            return f"Another client has taken this one's place at {self.address}."
        return f"The other side of {self.address} is gone.{registry.explain([self.address])}"

    def _open(self) -> Endpoint:
        if self._endpoint.closed:
            raise ValueError("The channel is closed.")
        return self._endpoint

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def wait_any(channels: Iterable[Duplex], timeoutms: float) -> None:
    """Wait until one of the channels has a message or news of its peer, at most `timeoutms`.

    Look with ``recv(0)`` which one it was; it may have been none of them.
    """
    poller = zmq.Poller()
    for channel in channels:
        channel._open().watch(poller)
    poller.poll(timeoutms)
