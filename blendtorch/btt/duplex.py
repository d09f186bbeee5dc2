# SPDX-License-Identifier: GPL-3.0-or-later
"""The torch side of the two-way channel: it connects."""

from __future__ import annotations

from ..credentials import Credentials
from ..duplex import HEARTBEAT_TIMEOUT_MS, Duplex
from ..wire import DEFAULT_LIMITS, Limits

DEFAULT_TIMEOUTMS = 10_000
"""How long ``send`` waits for room, in ms."""


class DuplexChannel(Duplex):
    """Two-way communication with a single process of the other side.

    Parameters
    ----------
    address
        Address to connect to: an entry of ``launch_info.addresses[NAME]``.
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
    ) -> None:
        super().__init__(
            address,
            btid,
            lingerms,
            timeoutms,
            bind=False,
            raise_lost=True,
            credentials=credentials,
            insecure=insecure,
            limits=limits,
            heartbeat_timeoutms=heartbeat_timeoutms,
            zero_copy=zero_copy,
        )
