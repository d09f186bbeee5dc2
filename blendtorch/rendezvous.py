# SPDX-License-Identifier: GPL-3.0-or-later
"""Where children report the ports they got.

The launching process reserves a port for each socket of each child: it binds it and never listens.
A child that opens the socket has the port released first, and reports ``(btid, name, endpoint)``
afterwards. So an address is known before there is a socket behind it, and ZeroMQ, which connects
again and again, finds the socket once it is there. Other processes of the run that know the
launcher's address ask there.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

import zmq

from . import context, zap
from .credentials import Credentials
from .errors import CannotOpen, CredentialsError, LaunchError, WireError
from .wire import Limits, decode, encode

logger = logging.getLogger(__name__)

ENV_RENDEZVOUS = "BLENDTORCH_RENDEZVOUS"
"""The environment variable with the launcher's address."""
ENV_BTID = "BLENDTORCH_BTID"
"""The environment variable with the child's number."""

_LIMITS = Limits(max_bytes=65_536, max_header=65_536, max_arrays=0)
_REPORT_TIMEOUT_S = 30.0
_LATE_S = 1.0
"""A child that opens a socket and then no other for so long may wait for a message first."""


class Server:
    """Collects the reports, in a thread of the launching process.

    Parameters
    ----------
    credentials
        Keys of the run.
    host
        Interface to bind to.

    Raises
    ------
    CannotOpen
        There is no such interface, or the system gives no port.
    """

    def __init__(self, credentials: Credentials, host: str = "127.0.0.1") -> None:
        self.credentials = credentials
        self.failure: Callable[[str], str | None] = lambda name: None
        """Asked by name for a reason why a socket will never be reported; set by the launcher."""
        self._reports: dict[str, dict[int, str]] = {}
        self._reserved: dict[str, dict[int, tuple[str, socket.socket]]] = {}
        self._heard: dict[int, float] = {}  # when a child last opened a socket
        self._changed = threading.Condition()
        self._stop = threading.Event()
        ctx = context.shared_context()
        zap.admit(ctx, credentials)
        self._socket = ctx.socket(zmq.ROUTER)
        self._socket.linger = 1000
        self._socket.maxmsgsize = _LIMITS.max_frame
        self._socket.curve_server = True
        self._socket.curve_publickey = credentials.server_public.encode()
        self._socket.curve_secretkey = credentials.server_secret.encode()
        self._socket.zap_domain = credentials.run_id.encode()
        try:
            self._socket.bind(f"tcp://{host}:*")
        except zmq.ZMQError as err:
            self._socket.close()
            raise CannotOpen(f"Cannot open a port on {host}: {err.strerror}.") from err
        self.address = self._socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
        self._thread = threading.Thread(
            target=self._serve, name="blendtorch-rendezvous", daemon=True
        )
        self._thread.start()

    def reserve(self, name: str, btid: int) -> str:
        """Keep a port for a socket of a child and return its endpoint.

        Raises
        ------
        CannotOpen
            The system gives no port.
        """
        host = self.address.removeprefix("tcp://").rpartition(":")[0]
        held = socket.socket()
        try:
            held.bind((host, 0))
        except OSError as err:
            held.close()
            raise CannotOpen(f"Cannot reserve a port on {host}: {err.strerror}.") from err
        endpoint = f"tcp://{host}:{held.getsockname()[1]}"
        with self._changed:
            self._reserved.setdefault(name, {})[btid] = endpoint, held
        return endpoint

    def reported(self, name: str) -> dict[int, str]:
        """Return the endpoints of the sockets of this name that are open, by btid."""
        with self._changed:
            return dict(self._reports.get(name, {}))

    def get(self, name: str) -> dict[int, str]:
        """Return the endpoints of this name that can be told to others, by btid.

        They are those of :meth:`reported` and, as long as no child has failed, the reserved ones of
        children that have opened another socket and do not go on to this one: a script may open it
        after a message only, or after others have read from the first.
        """
        failed = self.failure(name) is not None
        with self._changed:
            known = self.reported(name)
            late = time.monotonic() - _LATE_S
            for btid, (endpoint, _) in self._reserved.get(name, {}).items():
                if not failed and self._heard.get(btid, late) < late:
                    known.setdefault(btid, endpoint)
            return known

    def wait(self, seconds: float) -> None:
        """Wait for the next report, at most so long."""
        with self._changed:
            self._changed.wait(seconds)

    def close(self) -> None:
        """Stop the thread, close the socket and let go of the reserved ports."""
        self._stop.set()
        self._thread.join(2.0)
        with self._changed:
            for _, held in (r for children in self._reserved.values() for r in children.values()):
                held.close()

    def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._socket.poll(200):
                    continue
                identity, *frames = self._socket.recv_multipart()
                try:
                    message = decode(frames, run_id=self.credentials.run_id, limits=_LIMITS)
                    answer = self._handle(message)
                except (WireError, KeyError, TypeError) as err:
                    logger.warning("A report from a child was refused: %s", err)
                    answer = {"ok": False}
                self._socket.send_multipart(
                    [identity, *encode(answer, run_id=self.credentials.run_id)], zmq.NOBLOCK
                )
        except zmq.ZMQError as err:
            if err.errno != zmq.ETERM:
                logger.exception("The launcher no longer receives its children's reports.")
        finally:
            self._socket.close()

    def _handle(self, message: dict) -> dict:
        name = message["name"]
        if not isinstance(name, str):
            raise TypeError("a socket's name is a string")
        if message["do"] == "open":
            with self._changed:
                if message["btid"] in self._reserved.get(name, {}):
                    self._reserved[name][message["btid"]][1].close()
            return {"ok": True}
        if message["do"] == "report":
            btid, endpoint = message["btid"], message["endpoint"]
            if not isinstance(btid, int) or not isinstance(endpoint, str):
                raise TypeError("a report is (int, str, str)")
            with self._changed:
                self._reports.setdefault(name, {})[btid] = endpoint
                self._heard[btid] = time.monotonic()
                self._changed.notify_all()
            return {"ok": True}
        known = self.get(name)
        return {
            "ok": True,
            "endpoints": [[k, v] for k, v in sorted(known.items())],
            "failure": self.failure(name),
        }


def release(name: str) -> None:
    """Have the launcher, from its child, let go of the port that it reserved for a named socket.

    Raises
    ------
    LaunchError
        If this process was not started by a launcher, or the launcher does not answer.
    """
    _tell("open", name)


def report(name: str, endpoint: str) -> None:
    """Tell the launcher, from its child, which endpoint a named socket got.

    Raises
    ------
    LaunchError
        As for :func:`release`.
    """
    _tell("report", name, endpoint=endpoint)


def _tell(do: str, name: str, **more: str) -> None:
    address, btid = os.environ.get(ENV_RENDEZVOUS), os.environ.get(ENV_BTID)
    keys = Credentials.from_env()
    if not address or not btid or keys is None:
        raise LaunchError(
            f"The address of socket {name!r} asks for a report to a launcher, but no launcher "
            "started this process. Use tcp://127.0.0.1:* for a free port."
        )
    message = {"do": do, "name": name, "btid": int(btid), **more}
    if not ask(address, keys, message, _REPORT_TIMEOUT_S).get("ok"):
        raise LaunchError(f"The launcher refuses socket {name!r}.")


def ask(address: str, keys: Credentials | None, message: dict, timeout: float) -> dict:
    """Send one message to a rendezvous and return the answer.

    Raises
    ------
    LaunchError
        If there is none within `timeout` seconds.
    """
    if keys is None:
        raise CredentialsError("The rendezvous cannot be asked without the run's keys.")
    asking = context.shared_context().socket(zmq.DEALER)
    try:
        asking.linger = 0
        asking.maxmsgsize = _LIMITS.max_frame
        asking.curve_serverkey = keys.server_public.encode()
        asking.curve_publickey = keys.client_public.encode()
        asking.curve_secretkey = keys.client_secret.encode()
        asking.connect(address)
        deadline = time.monotonic() + timeout
        asking.send_multipart(encode(message, run_id=keys.run_id))
        if not asking.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise LaunchError(
                f"The launcher does not answer within {timeout:.0f} s; is it running?"
            )
        return decode(asking.recv_multipart(), run_id=keys.run_id, limits=_LIMITS)
    finally:
        asking.close(0)
