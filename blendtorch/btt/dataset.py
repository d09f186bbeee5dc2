# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of what Blender instances publish, as a torch dataset."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import zmq
from torch.utils import data

from .. import registry
from ..credentials import Credentials
from ..endpoint import Endpoint
from ..errors import ChannelTimeout, PeerLost
from ..wire import DEFAULT_LIMITS, Limits

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUTMS = 10_000
"""How long an iterator waits for the next message, in ms."""


def _identity(item: Any) -> Any:
    return item


class RemoteIterableDataset(data.IterableDataset):
    """Iterates over the messages of ``btb.DataPublisher`` instances.

    Usable with a ``DataLoader`` and any number of workers: each iterator opens a socket of its own,
    and the keys travel with the dataset. Messages are dicts with numpy arrays.

    Parameters
    ----------
    addresses
        The publishers' addresses: ``launch_info.addresses[NAME]``.
    queue_size
        How many messages are queued before the publishers wait.
    timeoutms
        How long to wait for the next message before :class:`.ChannelTimeout`, in ms.
    max_items
        How many messages an iteration has, shared by all workers.
    item_transform
        Applied to each message; alternatively override :meth:`_item`.
    record_path_prefix
        Not supported; only None is accepted.
    credentials, insecure, limits
        As in :class:`.DuplexChannel`. Looked up when the dataset is made.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        queue_size: int = 10,
        timeoutms: int = DEFAULT_TIMEOUTMS,
        max_items: int = 100_000,
        item_transform: Callable[[Any], Any] | None = None,
        record_path_prefix: Any = None,
        *,
        credentials: Credentials | None = None,
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if record_path_prefix is not None:
            raise ValueError("Recording is not supported; write items in item_transform.")
        if isinstance(addresses, str):
            addresses = [addresses]
        self.addresses = [str(a) for a in addresses]
        self.queue_size = queue_size
        self.timeoutms = timeoutms
        self.max_items = max_items
        self.item_transform = item_transform or _identity
        self.insecure = insecure
        self.limits = limits
        self._keys = [registry.find(a, credentials, insecure) for a in self.addresses]

    def stream_length(self, max_items: int) -> None:
        """Set how many messages an iteration has."""
        self.max_items = max_items

    def __iter__(self) -> Iterator[Any]:
        info = data.get_worker_info()
        return _Stream(self, self.max_items // (info.num_workers if info is not None else 1))

    def _item(self, item: dict[str, Any]) -> Any:
        """Transform a message; override to your liking."""
        return self.item_transform(item)


class _Stream(Iterator[Any]):
    """One iteration. It survives a refused message: the next ``next()`` goes on."""

    def __init__(self, dataset: RemoteIterableDataset, num_items: int) -> None:
        self._dataset = dataset
        self._left = num_items
        self._warned: set[str] = set()
        self._endpoint = Endpoint(
            zmq.PULL,
            dataset.addresses,
            bind=False,
            lingerms=0,
            sndhwm=1,
            rcvhwm=dataset.queue_size,
            # No heartbeats: with a full queue they are not read, and that is normal here.
            heartbeat_timeoutms=None,
            keys=dataset._keys,
            insecure=dataset.insecure,
            limits=dataset.limits,
        )

    def __next__(self) -> Any:
        if self._left <= 0 or self._endpoint.closed:
            self.close()
            raise StopIteration
        message = self._receive()
        self._left -= 1
        return self._dataset._item(message)

    def _receive(self) -> dict[str, Any]:
        end = self._endpoint
        deadline = time.monotonic() + self._dataset.timeoutms / 1000
        while True:
            end.monitor.update()
            gone = end.monitor.lost_addresses
            all_gone = len(gone) == len(set(end.addresses))
            settling = end.monitor.settling_ms
            if end.ready():
                return end.receive()
            self._warn(gone)
            if all_gone and settling <= 0:
                raise PeerLost(
                    f"All publishers are gone: {', '.join(end.addresses)}."
                    f"{registry.explain(end.addresses)}"
                )
            left = (deadline - time.monotonic()) * 1000
            if left <= 0:
                raise ChannelTimeout(
                    f"No message within {self._dataset.timeoutms} ms from "
                    f"{', '.join(end.addresses)}; gone: {', '.join(gone) or 'none'}."
                    f"{registry.explain(end.addresses)}"
                )
            end.wait(min(left, settling) if all_gone else left)

    def _warn(self, gone: list[str]) -> None:
        for address in gone:
            if address not in self._warned:
                self._warned.add(address)
                logger.warning("The publisher at %s is gone.", address)

    def close(self) -> None:
        """Close the socket; what is queued is dropped."""
        self._endpoint.close()
