# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream of what Blender instances publish, as a torch dataset."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import zmq
from torch.utils import data

from .. import registry
from ..credentials import Credentials
from ..endpoint import Endpoint
from ..errors import ChannelTimeout, PeerLost
from ..recording import FileRecorder, new_recording, recordings
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
        Passed to :meth:`enable_recording`, if given.
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
        record_path_prefix: str | Path | None = None,
        *,
        credentials: Credentials | None = None,
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if isinstance(addresses, str):
            addresses = [addresses]
        self.addresses = [str(a) for a in addresses]
        self.queue_size = queue_size
        self.timeoutms = timeoutms
        self.max_items = max_items
        self.item_transform = item_transform or _identity
        self.insecure = insecure
        self.limits = limits
        self.record_path_prefix: Path | None = None
        if record_path_prefix is not None:
            self.enable_recording(record_path_prefix)
        self._keys = [registry.find(a, credentials, insecure) for a in self.addresses]

    def enable_recording(self, fname: str | Path) -> None:
        """Record messages as they come, for :class:`.FileDataset`.

        Each iteration of each worker writes a file of its own, ``FNAME_00.btr``, ``FNAME_00_1.btr``
        and so on. Call it before the first iteration. It removes an older recording of this name.

        Parameters
        ----------
        fname
            What the files' names begin with, with their folder.
        """
        for path in recordings(fname):
            path.unlink()
        self.record_path_prefix = Path(fname)

    def stream_length(self, max_items: int) -> None:
        """Set how many messages an iteration has."""
        self.max_items = max_items

    def __iter__(self) -> Iterator[Any]:
        info = data.get_worker_info()
        share = self.max_items // (info.num_workers if info is not None else 1)
        recorder = None
        if self.record_path_prefix is not None:
            worker = info.id if info is not None else 0
            recorder = new_recording(self.record_path_prefix, worker, self.limits)
        return _Stream(self, share, recorder)

    def _item(self, item: dict[str, Any]) -> Any:
        """Transform a message; override to your liking."""
        return self.item_transform(item)


class _Stream(Iterator[Any]):
    """One iteration. It survives a refused message: the next ``next()`` goes on."""

    def __init__(
        self, dataset: RemoteIterableDataset, num_items: int, recorder: FileRecorder | None
    ) -> None:
        self._dataset = dataset
        self._recorder = recorder
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
        if self._recorder is not None:
            self._recorder.save(message)
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
        if self._recorder is not None:
            self._recorder.close()
