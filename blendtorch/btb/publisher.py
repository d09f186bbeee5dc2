# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side of a stream of data."""

from __future__ import annotations

import time
from typing import Any

import zmq

from ..credentials import Credentials
from ..endpoint import Endpoint
from ..errors import ChannelTimeout
from ..wire import DEFAULT_LIMITS, Limits

DEFAULT_TIMEOUTMS = 3_600_000
"""How long ``publish`` waits for a reader that takes the message, in ms."""
_SLICE_MS = 500


class DataPublisher:
    """Publishes images and what belongs to them; the source of ``btt.RemoteIterableDataset``.

    Readers may come and go. A reader that does not keep up makes :meth:`publish` wait.

    Parameters
    ----------
    bind_address
        Address to bind to: an entry of ``btargs.btsockets``, or ``tcp://127.0.0.1:*``.
    btid
        This instance's number; added to every message.
    send_hwm
        How many messages are queued before :meth:`publish` waits.
    lingerms
        How long unsent messages are kept after :meth:`close` or the end of the process, in ms.
    timeoutms
        How long :meth:`publish` waits for a reader, in ms.
    credentials, insecure, limits, zero_copy
        As in :class:`.DuplexChannel`.
    """

    def __init__(
        self,
        bind_address: str,
        btid: int | None = None,
        send_hwm: int = 10,
        lingerms: int = 0,
        *,
        timeoutms: int = DEFAULT_TIMEOUTMS,
        credentials: Credentials | None = None,
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        zero_copy: bool = False,
    ) -> None:
        self.btid = btid
        self.timeoutms = timeoutms
        # No heartbeats here: a reader whose queue is full does not answer them, and that is normal.
        self._endpoint = Endpoint(
            zmq.PUSH,
            [str(bind_address)],
            bind=True,
            lingerms=lingerms,
            sndhwm=send_hwm,
            rcvhwm=1,
            heartbeat_timeoutms=None,
            keys=credentials,
            insecure=insecure,
            limits=limits,
            zero_copy=zero_copy,
            immediate=True,
        )
        self.address = self._endpoint.addresses[0]

    @property
    def connected(self) -> bool:
        """Whether a reader is there now."""
        if self._endpoint.closed:
            return False
        self._endpoint.monitor.update()
        return self._endpoint.monitor.connected

    def publish(self, **kwargs: Any) -> None:
        """Publish a message; `btid` is added to it.

        Raises
        ------
        TypeError, OverflowError
            For a value that does not travel.
        ChannelTimeout
            If no reader takes it within `timeoutms`.
        """
        end = self._endpoint
        if end.closed:
            raise ValueError("The publisher is closed.")
        frames = end.encode({"btid": self.btid, **kwargs})
        deadline = time.monotonic() + self.timeoutms / 1000
        while not end.try_send(frames):
            left = (deadline - time.monotonic()) * 1000
            if left <= 0:
                raise ChannelTimeout(f"No reader takes what is published at {self.address}.")
            end.monitor.update()
            end.wait(min(left, _SLICE_MS), zmq.POLLOUT)

    def close(self) -> None:
        """Close the publisher; always returns at once. Unsent messages get `lingerms`."""
        self._endpoint.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
