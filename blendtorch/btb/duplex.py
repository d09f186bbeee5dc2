# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side of the two-way channel: it binds."""

from __future__ import annotations

from ..credentials import Credentials
from ..duplex import HEARTBEAT_TIMEOUT_MS, Duplex
from ..wire import DEFAULT_LIMITS, Limits

DEFAULT_TIMEOUTMS = 5000
"""How long ``send`` waits for room, in ms."""


class DuplexChannel(Duplex):
    """Two-way communication with a single process of the other side.

    Parameters
    ----------
    address
        Address to bind to: an entry of ``btargs.btsockets``, or ``tcp://127.0.0.1:*`` for a free
        port.
    btid
        This instance's number; added to every message.
    lingerms
        How long unsent messages are kept after ``close``, in ms.
    timeoutms
        How long ``send`` waits for the other side to take a message, in ms.
    credentials, insecure
        Keys of the run. Without them, those that the launcher registered for the address or passed
        in the environment; see :func:`blendtorch.registry.find`.
    limits
        What is taken at most.
    heartbeat_timeoutms
        A peer that does not answer heartbeats for so long is gone.
    zero_copy
        Send arrays from their own memory; do not change them after ``send`` then.
    raise_lost
        Whether ``recv`` and ``send`` raise :class:`.PeerLost` once the client is gone. If not, the
        channel goes on as that of the original does: ``recv`` gives None at the end of its time,
        ``send`` :class:`.ChannelTimeout`, and both serve the next client. None, the default, stands
        for True in a ``with`` block or with `credentials` of one's own, and else for False: the
        original knows neither, so that a script for it goes on.
    """

    def __init__(
        self,
        address: str,
        btid: int | None = None,
        lingerms: int = 0,
        timeoutms: int = DEFAULT_TIMEOUTMS,
        *,
        credentials: Credentials | None = None,
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        heartbeat_timeoutms: int = HEARTBEAT_TIMEOUT_MS,
        zero_copy: bool = False,
        raise_lost: bool | None = None,
    ) -> None:
        super().__init__(
            address,
            btid,
            lingerms,
            timeoutms,
            bind=True,
            raise_lost=credentials is not None if raise_lost is None else raise_lost,
            credentials=credentials,
            insecure=insecure,
            limits=limits,
            heartbeat_timeoutms=heartbeat_timeoutms,
            zero_copy=zero_copy,
        )
        self._raise_lost_in_block = raise_lost is not False

    def __enter__(self):
        self._raise_lost = self._raise_lost_in_block
        return super().__enter__()
