# SPDX-License-Identifier: GPL-3.0-or-later
"""Where children report the ports they got.

Ports are chosen by the system when Blender's side binds, so the launching process cannot know them
beforehand. It binds one socket of its own; each child reports ``(btid, name, endpoint)`` there, and
other processes of the run that know the launcher's address ask there.
"""

from __future__ import annotations

import logging
import os
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

    def get(self, name: str) -> dict[int, str]:
        """Return the endpoints known for a socket's name, by btid."""
        with self._changed:
            return dict(self._reports.get(name, {}))

    def wait(self, seconds: float) -> None:
        """Wait for the next report, at most so long."""
        with self._changed:
            self._changed.wait(seconds)

    def close(self) -> None:
        """Stop the thread and close the socket."""
        self._stop.set()
        self._thread.join(2.0)

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
        if message["do"] == "report":
            btid, endpoint = message["btid"], message["endpoint"]
            if not isinstance(btid, int) or not isinstance(endpoint, str):
                raise TypeError("a report is (int, str, str)")
            with self._changed:
                self._reports.setdefault(name, {})[btid] = endpoint
                self._changed.notify_all()
            return {"ok": True}
        known = self.get(name)
        return {
            "ok": True,
            "endpoints": [[k, v] for k, v in sorted(known.items())],
            "failure": self.failure(name),
        }


def report(name: str, endpoint: str) -> None:
    """Tell the launcher, from its child, which endpoint a named socket got.

    Raises
    ------
    LaunchError
        If this process was not started by a launcher, or the launcher does not answer.
    """
    address, btid = os.environ.get(ENV_RENDEZVOUS), os.environ.get(ENV_BTID)
    keys = Credentials.from_env()
    if not address or not btid or keys is None:
        raise LaunchError(
            f"The address of socket {name!r} asks for a report to a launcher, but no launcher "
            "started this process. Use tcp://127.0.0.1:* for a free port."
        )
    message = {"do": "report", "name": name, "btid": int(btid), "endpoint": endpoint}
    if not ask(address, keys, message, _REPORT_TIMEOUT_S).get("ok"):
        raise LaunchError(f"The launcher refused the report of socket {name!r}.")


def ask(address: str, keys: Credentials | None, message: dict, timeout: float) -> dict:
    """Send one message to a rendezvous and return the answer.

    Raises
    ------
    LaunchError
        If there is none within `timeout` seconds.
    """
    if keys is None:
        raise CredentialsError("The rendezvous cannot be asked without the run's keys.")
    socket = context.shared_context().socket(zmq.DEALER)
    try:
        socket.linger = 0
        socket.maxmsgsize = _LIMITS.max_frame
        socket.curve_serverkey = keys.server_public.encode()
        socket.curve_publickey = keys.client_public.encode()
        socket.curve_secretkey = keys.client_secret.encode()
        socket.connect(address)
        deadline = time.monotonic() + timeout
        socket.send_multipart(encode(message, run_id=keys.run_id))
        if not socket.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise LaunchError(
                f"The launcher does not answer within {timeout:.0f} s; is it running?"
            )
        return decode(socket.recv_multipart(), run_id=keys.run_id, limits=_LIMITS)
    finally:
        socket.close(0)
