# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ray cluster: how it is reached, and what its nodes have."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

from gdr_core.errors import GdrError
from gdr_core.shared_names import RAY_ADDRESS

from ..notices import Notify

log = logging.getLogger(__name__)

_WHERE = f"{RAY_ADDRESS} (in Blender: Cluster in the extension's preferences)"
REACH_S = 5.0
_WITHOUT_ADDRESS = ("", "auto", "local")


@dataclass(frozen=True)
class Node:
    """A computer of the cluster.

    Attributes
    ----------
    id
        Ray's, new each time the node joins.
    resources
        All that it has, used or not, by Ray's names (``CPU``, ``GPU``, ``memory``, ...).
    """

    id: str
    resources: Mapping[str, float]

    def fits(self, needs: Mapping[str, float]) -> int:
        """Return how many of what needs this much have room on the node."""
        most = [self.resources.get(name, 0.0) // much for name, much in needs.items() if much]
        return int(min(most, default=1))


class Cluster:
    """The cluster that ``ray.init`` reaches, joined.

    Parameters
    ----------
    notify
        Called with what a person should know, a sentence without its full stop.

    Raises
    ------
    GdrError
        Ray is not installed, or no cluster can be reached.
    """

    def __init__(self, notify: Notify):
        self.ray = import_ray()
        self._joined = not self.ray.is_initialized()
        if self._joined:
            self._join(notify)

    def nodes(self) -> list[Node]:
        """Return the nodes that are there now."""
        return [
            Node(node["NodeID"], node["Resources"]) for node in self.ray.nodes() if node["Alive"]
        ]

    def leave(self) -> None:
        """Leave the cluster, if this joined it; what it started for this process ends."""
        if self._joined:
            self.ray.shutdown()

    def _join(self, notify: Notify) -> None:
        address = os.environ.get(RAY_ADDRESS, "")
        if address not in _WITHOUT_ADDRESS:
            _check_reachable(address)
        # Of one that is started here: it reports to nobody, and its workers take part in the
        # computer's time like anybody, which Ray's do not by default.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")
        options = {} if "://" in address else {"include_dashboard": False, "log_to_driver": False}
        try:
            with _own_signals():
                self.ray.init(logging_level=logging.ERROR, **options)
        except Exception as error:
            log.info("Ray said: %s", error)
            first = str(error).strip().splitlines() or [type(error).__name__]
            raise GdrError(
                f"No Ray cluster could be joined{f' at {address}' * bool(address)}: "
                f"{first[0].rstrip('.')}. Start one with: ray start --head, and set {_WHERE} to "
                f"the address that it names."
            ) from error
        log.info("Joined the Ray cluster at %s", self.ray.get_runtime_context().gcs_address)
        if len(self.nodes()) == 1 and not address:
            notify(
                f"Ray renders on this computer alone; set {_WHERE} to the address of a cluster to "
                f"render there"
            )


def import_ray() -> ModuleType:
    """Return the package.

    Raises
    ------
    GdrError
        It is not there.
    """
    try:
        import ray
    except ImportError as error:
        raise GdrError(
            f"Rendering on a cluster needs Ray, which this Python ({sys.executable}) does not have "
            f"({error}). Install it there (pip install ray), or render on this computer."
        ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Raise a sentence where nobody listens, for which Ray itself takes minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdigit()):
        raise GdrError(
            f"{address!r} is no address of a Ray cluster; set {_WHERE} to HOST:PORT as ray start "
            f"--head names it."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except (OSError, OverflowError) as error:
        raise GdrError(
            f"No Ray cluster answers at {address}: {error}. Start it there with: ray start --head, "
            f"or correct {_WHERE}."
        ) from error


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does at a signal, which Ray would replace."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
