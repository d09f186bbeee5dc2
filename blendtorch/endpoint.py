# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a socket the way every socket of this package is opened.

Addresses are ``tcp://HOST:PORT``. A side that binds may say ``tcp://HOST:*`` for a free port, and
``tcp://HOST:PORT/NAME`` for the port that the launcher has reserved for its socket NAME.
"""

from __future__ import annotations

import contextlib
import re

import zmq

from . import context, registry, rendezvous, zap
from .credentials import Credentials
from .errors import CannotOpen
from .peers import PeerMonitor
from .wire import DEFAULT_LIMITS, Limits, decode, encode

_ADDRESS = re.compile(r"(?P<bind>tcp://[^/\s]+:(\d+|\*))(/(?P<name>[A-Za-z0-9_.-]+))?")
_HANDSHAKE_MS = 10_000
_INLINE_BYTES = 65_536  # below this, copying a frame is cheaper than sharing it with the I/O thread


def named_address(endpoint: str, name: str) -> str:
    """Return the address of a socket that is to bind to an endpoint that is reserved for `name`."""
    address = f"{endpoint}/{name}"
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{name!r} cannot name a socket; use letters, digits and _ . -")
    return address


class Endpoint:
    """A socket with its keys, its peer monitor and the wire.

    One that is dropped without :meth:`close` is closed as well.

    Parameters
    ----------
    kind
        ZeroMQ's socket type.
    addresses
        One to bind to, or any number to connect to.
    bind
        Whether to bind.
    lingerms
        How long unsent messages are kept after :meth:`close`; bounded in any case.
    sndhwm, rcvhwm
        Queue lengths in messages; 0 is unlimited.
    heartbeat_timeoutms
        A peer that does not answer for this long is gone; None switches heartbeats off.
    keys, insecure
        See :func:`.registry.find`; `keys` may hold one entry for each address.
    limits
        What is taken at most. A peer that announces a frame beyond them is disconnected before any
        memory is set aside for it.

    Raises
    ------
    CannotOpen
        The system refuses: the port is taken, or there are too many sockets.
    """

    def __init__(
        self,
        kind: int,
        addresses: list[str],
        *,
        bind: bool,
        lingerms: int | None,
        sndhwm: int,
        rcvhwm: int,
        heartbeat_timeoutms: int | None,
        keys: Credentials | list[Credentials | None] | None = None,
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        zero_copy: bool = False,
        immediate: bool = False,
        routing_id: bytes | None = None,
    ) -> None:
        self.closed = True
        self.limits = limits
        self.zero_copy = zero_copy
        per_address = keys if isinstance(keys, list) else [keys] * len(addresses)
        found = [registry.find(a, k, insecure) for a, k in zip(addresses, per_address, strict=True)]
        if len({c.run_id if c else "" for c in found}) > 1:
            raise ValueError("All addresses of one socket must belong to the same run.")
        self.credentials = found[0] if found else None
        self.run_id = self.credentials.run_id if self.credentials else ""

        ctx = context.shared_context()
        self._opened = context.keep_open()
        try:
            self.socket = ctx.socket(kind)
            self._opened.callback(self.socket.close)
            self.monitor = PeerMonitor(self.socket)
            self._opened.callback(self.monitor.close)
        except zmq.ZMQError as err:
            self.close()
            raise CannotOpen(f"No socket for {', '.join(addresses)}: {err.strerror}.") from err
        try:
            self.socket.linger = context.bounded_linger(lingerms)
            self.socket.sndhwm = sndhwm
            self.socket.rcvhwm = rcvhwm
            self.socket.maxmsgsize = limits.max_frame
            self.socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
            self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
            self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
            self.socket.setsockopt(zmq.IMMEDIATE, int(immediate))
            if routing_id is not None:
                self.socket.routing_id = routing_id
            if kind == zmq.ROUTER:
                self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
                self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
            if heartbeat_timeoutms is not None:
                beat = max(50, heartbeat_timeoutms // 3)
                self.socket.setsockopt(zmq.HEARTBEAT_IVL, beat)
                # No HEARTBEAT_TTL: its clock goes on while a computer sleeps, so it runs out then.
                self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, heartbeat_timeoutms)
            self._set_keys(ctx, bind)
            self.closed = False
            self.addresses = [self._bind(addresses[0])] if bind else self._connect(addresses)
        except zmq.ZMQError as err:
            self.close()
            raise CannotOpen(f"Cannot open {', '.join(addresses)}: {err.strerror}.") from err
        except BaseException:
            self.close()
            raise

    def _set_keys(self, ctx: zmq.Context, bind: bool) -> None:
        keys = self.credentials
        if keys is None:
            return
        if bind:
            zap.admit(ctx, keys)
            self.socket.curve_server = True
            self.socket.curve_publickey = keys.server_public.encode()
            self.socket.curve_secretkey = keys.server_secret.encode()
            self.socket.zap_domain = keys.run_id.encode()
        else:
            self.socket.curve_serverkey = keys.server_public.encode()
            self.socket.curve_publickey = keys.client_public.encode()
            self.socket.curve_secretkey = keys.client_secret.encode()

    def _bind(self, address: str) -> str:
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError(f"{address!r} is no address; it looks like tcp://127.0.0.1:PORT.")
        if match["name"]:
            rendezvous.release(match["name"])
        try:
            self.socket.bind(match["bind"])
        except zmq.ZMQError as err:
            if not match["name"] or err.errno != zmq.EADDRINUSE:
                raise
            # A script that opens its socket for the second time, before the first one is cleared.
            self.socket.bind(match["bind"].rpartition(":")[0] + ":*")
        endpoint = self.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        if match["name"]:
            rendezvous.report(match["name"], endpoint)
        return endpoint

    def _connect(self, addresses: list[str]) -> list[str]:
        for address in addresses:
            match = _ADDRESS.fullmatch(address)
            if match is None or match["name"] or match["bind"].endswith("*"):
                raise ValueError(f"{address!r} is no address to connect to.")
            self.socket.connect(address)
        return list(addresses)

    # --- one message -----------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether a message waits; about a microsecond."""
        return bool(self.socket.get(zmq.EVENTS) & zmq.POLLIN)

    def receive_frames(self) -> list[zmq.Frame]:
        """Return the frames of the message that waits, unchecked."""
        frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        with contextlib.suppress(zmq.ZMQError):  # a transport without descriptors
            self.monitor.heard(frames[-1].get(zmq.SRCFD))
        return frames

    def decode(self, frames: list[zmq.Frame]) -> dict:
        """Return the message in `frames`, or raise :class:`.WireError`."""
        return decode([f.buffer for f in frames], run_id=self.run_id, limits=self.limits)

    def receive(self) -> dict:
        """Return the message that waits.

        Raises
        ------
        WireError
            If it is refused; it is gone then, and the next one can be received.
        """
        return self.decode(self.receive_frames())

    def encode(self, message: dict) -> list[bytes | memoryview]:
        """Return the frames of a message."""
        return encode(message, run_id=self.run_id, zero_copy=self.zero_copy, limits=self.limits)

    def try_send(self, frames: list[bytes | memoryview]) -> bool:
        """Queue the frames; False if the queue is full or the receiver is not there."""
        if not self.socket.get(zmq.EVENTS) & zmq.POLLOUT:
            return False
        last = len(frames) - 1
        for i, frame in enumerate(frames):
            flags = zmq.NOBLOCK | (zmq.SNDMORE if i < last else 0)
            size = frame.nbytes if isinstance(frame, memoryview) else len(frame)
            try:
                self.socket.send(frame, flags, copy=size < _INLINE_BYTES)
            except zmq.ZMQError as err:
                if i == 0 and err.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                    return False
                raise
        return True

    def wait(self, timeoutms: float | None, events: int = zmq.POLLIN) -> None:
        """Wait until the socket has one of `events`, or there is news of the peer."""
        poller = zmq.Poller()
        self.watch(poller, events)
        poller.poll(timeoutms)

    def watch(self, poller: zmq.Poller, events: int = zmq.POLLIN) -> None:
        """Have `poller` look for `events` of the socket, and for news of the peer."""
        if events:
            poller.register(self.socket, events)
        poller.register(self.monitor.socket, zmq.POLLIN)

    def close(self) -> None:
        """Close the socket. Returns at once; unsent messages get their linger time."""
        self.closed = True
        context.close(self._opened)

    def __del__(self) -> None:
        # Not left to pyzmq: it would close the monitor's receiver before its sender, and libzmq's
        # thread, which serves all sockets, would wait for a receiver for ever.
        if hasattr(self, "_opened"):
            context.close(self._opened)
