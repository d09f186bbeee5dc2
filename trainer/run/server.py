# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer's side of the conversation with Blender's window."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from pathlib import Path

import msgspec

from blendtorch import btt
from blendtorch.errors import ChannelTimeout, PeerLost, WireError
from gdr_core import output
from gdr_core import settings as settings_module
from gdr_core.errors import GdrError
from gdr_core.messages import (
    Finished,
    Message,
    PauseRun,
    Progress,
    ResumeRun,
    RunStatus,
    Samples,
    StartRun,
    StopRun,
    pack,
    unpack,
)

from ..rendering.kept_pool import KeptPool
from .controls import Controls
from .run import Run

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0
FLUSH_TIMEOUT_S = 30.0
ORDER_POLL_MS = 200


class Window(Controls):
    """Takes orders from the window and tells it what happens, never waiting for it.

    Blender may not read for minutes (a person renders, a file dialog is open). Messages then wait
    here: all of those that matter, and the newest only of those that the next one replaces.

    Parameters
    ----------
    address
        Where the window listens; its keys are in the environment.
    """

    def __init__(self, address: str):
        super().__init__()
        self._channel = btt.DuplexChannel(address, timeoutms=0, lingerms=2000)
        self._outbox: OrderedDict[object, Message] = OrderedDict()
        self._lost = False

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()

    def serve(self) -> None:
        """Wait for the order to start, and run; then for the next one, as long as was ordered.

        Raises
        ------
        GdrError
            No order came, or the last run failed (the window was told).
        """
        order = self._wait_for_start(START_TIMEOUT_S)
        if self._lost:
            raise GdrError("Blender went away before the run started.")
        if order is None:
            raise GdrError(f"Blender gave no order within {START_TIMEOUT_S:.0f} seconds.")
        with KeptPool() as pool:
            while order is not None:
                failure = self._serve(order, pool)
                if self._lost or not order.keep:
                    break
                failure = None  # With its frames it would hold all that the run had.
                pool.rest()
                output.redirect("")
                order = self._wait_for_start(order.keep)
        if failure is not None:
            raise failure

    def _serve(self, order: StartRun, pool: KeptPool) -> GdrError | None:
        """Make a run; return why it failed."""
        if order.output:
            output.redirect(order.output)
        pool.keeps = order.keep > 0
        try:
            self._run(order, pool)
        except GdrError as error:
            return error
        finally:
            self._flush()
        return None

    def _run(self, order: StartRun, pool: KeptPool) -> None:
        try:
            settings = settings_module.from_dict(order.settings)
            run = Run(settings, Path(order.out), self.observe, self, order.resume, pool.lend)
        except GdrError as error:
            self.observe(Finished(status=RunStatus.FAILED, text=str(error), folder=order.out))
            raise
        run.execute()

    def observe(self, message: Message) -> None:
        """Queue a message; a newer ``Progress`` or ``Samples`` replaces one that still waits."""
        key = type(message) if isinstance(message, (Progress, Samples)) else object()
        self._outbox.pop(key, None)
        self._outbox[key] = message
        self._send()

    def poll(self) -> None:
        """Read orders and send what waits."""
        self._send()
        while not self._lost:
            try:
                data = self._channel.recv(timeoutms=0)
                if data is None:
                    return
                order = unpack(data)
            except PeerLost:
                self._lose()
                return
            except (WireError, msgspec.ValidationError) as error:
                log.warning("An order was refused: %s", error)
                continue
            if isinstance(order, PauseRun):
                self.paused = True
            elif isinstance(order, ResumeRun):
                self.paused = False
            elif isinstance(order, StopRun):
                self.stopping = True

    def _wait_for_start(self, seconds: float) -> StartRun | None:
        """Return the next order to start, None if there is none; what was asked before is over."""
        self.paused = self.stopping = False
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._send()
            try:
                data = self._channel.recv(timeoutms=ORDER_POLL_MS)
                order = None if data is None else unpack(data)
            except PeerLost:
                self._lost = True
                return None
            except (WireError, msgspec.ValidationError) as error:
                log.warning("An order was refused: %s", error)
                continue
            if isinstance(order, StartRun):
                return order
        return None

    def _send(self) -> None:
        while self._outbox and not self._lost:
            key, message = next(iter(self._outbox.items()))
            try:
                self._channel.send(**pack(message))
            except ChannelTimeout:
                return
            except PeerLost:
                self._lose()
                return
            del self._outbox[key]

    def _flush(self) -> None:
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while self._outbox and not self._lost and time.monotonic() < deadline:
            self._send()
            time.sleep(0.02)

    def _lose(self) -> None:
        """Without a window there is nobody to run for: save and leave."""
        self._lost = True
        self.stopping = True
        log.warning("Blender is gone; the run ends with what it reached")
