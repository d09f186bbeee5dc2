# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the trainer, seen from the process that started it. No bpy here.

The session never waits: whoever owns it calls :meth:`Session.poll` often, and all that may take
time (the trainer's start, its answers, its end) is a state with a deadline.

::

    STARTING --connected--> (the trainer says STARTING, RUNNING, PAUSED) --Finished--> leaving
        |                                        |                                        |
        +------- child gone, deadline over ------+--> ending (terminate, kill) ------> ended

A session ends with exactly one ``Finished``: the trainer's own, or one that the session writes when
the trainer could not. It is given out when the process is gone, or, where the trainer stays for
another run, at once: :meth:`Session.release` then gives it out, to be handed to the next session.
A trainer that stayed, and is lost before it has said a word of its next run, is started anew.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from subprocess import Popen

import msgspec

from ...blendtorch.errors import BlendtorchError, ChannelTimeout, PeerLost, WireError
from ...gdr_core import settings as run_settings
from ...gdr_core.messages import (
    Finished,
    Message,
    PauseRun,
    ResumeRun,
    RunStatus,
    StartRun,
    Status,
    StopRun,
    pack,
    unpack,
)
from . import trainer_process
from .trainer_link import Launch, TrainerLink

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deadlines:
    """How long each thing may take, in seconds.

    Attributes
    ----------
    handshake
        From the child's start to its connection (a Python's first imports are slow on a cold
        disk, or under a virus scanner).
    stop
        From asking for a stop to the trainer's ``Finished``. It is read between two steps, and one
        step at 256 px takes many seconds without a GPU.
    leave
        From ``Finished`` to the end of the process.
    answer
        From the order to a trainer that stayed to its first word.
    lost
        From a lost or closed connection to the end of the process.
    terminate
        From a request to terminate to a kill.
    """

    handshake: float = 120.0
    stop: float = 40.0
    leave: float = 15.0
    answer: float = 10.0
    lost: float = 3.0
    terminate: float = 3.0


class Session:
    """Have a trainer make one run: start it, or take one that stayed, and talk with it.

    Parameters
    ----------
    launch
        What to start, or to order.
    deadlines
        How long to wait for what.
    clock
        Seconds, monotonic; for tests.
    link
        A trainer that stayed after its last run and fits the launch; None to start one.

    Raises
    ------
    OSError
        The process cannot be started.
    blendtorch.errors.BlendtorchError
        The channel cannot be opened.
    """

    def __init__(
        self,
        launch: Launch,
        deadlines: Deadlines = Deadlines(),
        clock: Callable[[], float] = time.monotonic,
        link: TrainerLink | None = None,
    ) -> None:
        self.launch = launch
        self.status = RunStatus.STARTING
        self._deadlines = deadlines
        self._clock = clock
        self._finished: Finished | None = None
        self._kept: TrainerLink | None = None
        self._stop_text = ""
        self._begin(link or TrainerLink(launch), stayed=link is not None)

    def _begin(self, link: TrainerLink, stayed: bool) -> None:
        """Order the run from a trainer; ``stayed`` for one that is connected already."""
        launch, deadlines = self.launch, self._deadlines
        self._link = link
        self._outbox: list[Message] = [
            StartRun(
                settings=run_settings.to_dict(launch.settings),
                out=str(launch.folder),
                keep=launch.keep,
                output=str(launch.output),
            )
        ]
        self._connected = stayed
        self._untried = stayed
        self._gone = False
        self._exited = False
        self._failure = ""
        self._terminated = False
        seconds = deadlines.answer if stayed else deadlines.handshake
        self._set_due(seconds, f"The trainer did not answer within {seconds:.0f} seconds.")

    @property
    def process(self) -> Popen:
        """The trainer's process."""
        return self._link.process

    @property
    def active(self) -> bool:
        """Whether the run goes on, as far as is known."""
        return self.status not in (RunStatus.DONE, RunStatus.FAILED, RunStatus.IDLE)

    def pause(self) -> None:
        """Ask the trainer to hold before its next step."""
        self._ask(PauseRun())

    def resume(self) -> None:
        """Ask the trainer to go on."""
        self._ask(ResumeRun())

    def stop(self, text: str = "") -> None:
        """Ask the trainer to save and end; ``text`` says why, if not by the Stop button."""
        if not self.active or self.status == RunStatus.STOPPING:
            return
        self.status = RunStatus.STOPPING
        self._stop_text = text
        if self._finished is not None:
            return
        if self._connected:
            self._ask(StopRun())
            self._set_due(self._deadlines.stop, "")
        else:
            self._outbox.clear()
            self._end_child()

    def release(self) -> TrainerLink | None:
        """Return the trainer if it stays after this run, which is over; None if it does not."""
        link, self._kept = self._kept, None
        return link

    def kill(self, grace: float = 0.6, term: float = 0.6) -> None:
        """End the process now, in at most ``grace + term`` seconds and a little.

        This is the one method that waits: for leaving Blender and disabling the extension.
        """
        if not self.active:
            return
        self._link.kill(grace, term)
        self.status = RunStatus.IDLE

    def poll(self, budget: float = 0.002) -> list[Message]:
        """Do what is due, and return what happened since the last call.

        Parameters
        ----------
        budget
            Seconds after which the remaining messages are left for the next call.

        Returns
        -------
        list of Message
            ``Status``, ``Targets``, ``Progress``, ``Samples``, and as the very last one
            ``Finished``, after which the session is over.
        """
        if not self.active:
            return []
        began = time.perf_counter()
        events: list[Message] = []
        code = self.process.poll()
        drained = self._receive(events, began + budget)
        self._flush()
        if self._untried and self._is_useless(code):
            self._start_anew(events)
        elif self._finished is not None and self.launch.keep and self._link.well:
            self._kept = self._link
            self._kept.release_output()
            events.append(self._ending(0))
            self.status = events[-1].status
        elif code is None:
            if self._clock() >= self._due:
                self._overdue()
        elif drained and self._heard_all():
            events.append(self._ending(code))
            self.status = events[-1].status
            self._link.close()
        return events

    # -- internals ---------------------------------------------------------------------------

    def _is_useless(self, code: int | None) -> bool:
        """Whether a trainer that stayed cannot make this run after all."""
        return code is not None or self._gone or self._clock() >= self._due

    def _start_anew(self, events: list[Message]) -> None:
        """Start a trainer in place of one that stayed and is lost."""
        log.info("The trainer of the last run is gone; starting another.")
        self._link.let_go()
        if self.status == RunStatus.STOPPING:
            events.append(self._ending(0))
        else:
            try:
                self._begin(TrainerLink(self.launch), stayed=False)
                return
            except (OSError, BlendtorchError) as error:
                text = f"The trainer cannot be started: {error}"
                folder = str(self.launch.folder)
                events.append(Finished(status=RunStatus.FAILED, text=text, folder=folder))
        self.status = events[-1].status

    def _receive(self, events: list[Message], until: float) -> bool:
        """Receive until ``until``; return whether nothing is left."""
        while self._finished is None and not self._gone:
            try:
                data = self._link.channel.recv(timeoutms=0)
            except PeerLost:
                self._lost()
                return True
            except WireError as error:
                log.warning("A message of the trainer was refused: %s", error)
                continue
            if not self._connected and (data is not None or self._link.channel.connected):
                self._connect()
            if data is None:
                return True
            try:
                message = unpack(data)
            except msgspec.ValidationError as error:
                log.warning("A message of the trainer was not understood: %s", error)
                continue
            self._take(message, events)
            if time.perf_counter() >= until:
                return False
        return True

    def _heard_all(self) -> bool:
        """Return whether the process, which has ended, had said no more than what was received.

        Its last words may still be on their way for a moment, until the channel says that it is
        gone.
        """
        if not self._exited:
            self._exited = True
            self._due = min(self._due, self._clock() + self._deadlines.lost)
        told = self._finished is not None or self._gone or not self._connected
        return told or self._clock() >= self._due

    def _connect(self) -> None:
        self._connected = True
        if self.status == RunStatus.STARTING:
            self._due = float("inf")

    def _take(self, message: Message, events: list[Message]) -> None:
        if self._untried:
            self._untried = False
            if self.status == RunStatus.STARTING:
                self._due = float("inf")
        if isinstance(message, Finished):
            self._finished = message
            self._set_due(self._deadlines.leave, "")
            return
        if isinstance(message, Status):
            if self.status == RunStatus.STOPPING:
                message = msgspec.structs.replace(message, status=RunStatus.STOPPING)
            elif message.status in (RunStatus.DONE, RunStatus.FAILED, RunStatus.IDLE):
                # The end is what Finished says, and not before the process is gone.
                message = msgspec.structs.replace(message, status=self.status)
            self.status = message.status
        events.append(message)

    def _ask(self, message: Message) -> None:
        if self.active and self._finished is None:
            self._outbox.append(message)
            self._flush()

    def _flush(self) -> None:
        while self._connected and not self._gone and self._outbox:
            try:
                self._link.channel.send(**pack(self._outbox[0]))
            except ChannelTimeout:
                return
            except PeerLost:
                # Its last words come first; then _receive notes the loss.
                self._outbox.clear()
                return
            del self._outbox[0]

    def _lost(self) -> None:
        """Note that the connection is gone; the process should be about to end."""
        self._outbox.clear()
        self._gone = True
        self._failure = self._failure or "The connection to the trainer was lost."
        self._due = min(self._due, self._clock() + self._deadlines.lost)
        self._due_text = ""

    def _set_due(self, seconds: float, text: str) -> None:
        self._due = self._clock() + seconds
        self._due_text = text

    def _overdue(self) -> None:
        self._failure = self._due_text or self._failure
        self._end_child()

    def _end_child(self) -> None:
        """Terminate the process; the next time that this is due, kill it."""
        with contextlib.suppress(ProcessLookupError):
            if self._terminated:
                self.process.kill()
            else:
                self.process.terminate()
        self._terminated = True
        self._set_due(self._deadlines.terminate, "")

    def _ending(self, code: int) -> Finished:
        folder = str(self.launch.folder)
        if self._finished is not None:
            if self.status == RunStatus.STOPPING and self._stop_text:
                return msgspec.structs.replace(
                    self._finished, text=f"{self._stop_text} {self._finished.text}".strip()
                )
            return self._finished
        if self.status == RunStatus.STOPPING:
            text = self._stop_text or "Stopped."
            if self._connected and not self._untried:
                text += " The trainer had to be ended, so its last step may be missing."
            return Finished(status=RunStatus.IDLE, text=text, folder=folder)
        return Finished(status=RunStatus.FAILED, text=self._failed_text(code), folder=folder)

    def _failed_text(self, code: int) -> str:
        if self._terminated and self._failure:
            return self._failure
        line = trainer_process.last_line(self.launch.output)
        text = f"The trainer ended unexpectedly ({trainer_process.exit_text(code)})"
        return f"{text}: {line}" if line else f"{text}."
