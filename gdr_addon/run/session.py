# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the trainer, seen from the process that started it. No bpy here.

The session never waits: whoever owns it calls :meth:`Session.poll` often. At any time it is in one
phase, and all that may take time (the trainer's start, its answers, its end) is a phase with a
deadline. What happens leads from a phase, at the left, to the next one (a dot: nowhere)::

                CONNECTED SPOKE    STOP        FINISHED STAYS LOST      EXITED    LATE
    HANDSHAKE   RUNNING   RUNNING  TERMINATING .        .     LOST      EXITED    TERMINATING
    ANSWERING   .         RUNNING  CANCELLING  .        .     HANDSHAKE HANDSHAKE HANDSHAKE
    CANCELLING  .         STOPPING .           .        .     OVER      OVER      OVER
    RUNNING     .         .        STOPPING    LEAVING  .     LOST      EXITED    .
    STOPPING    .         .        .           LEAVING  .     LOST      EXITED    TERMINATING
    LEAVING     .         .        .           .        OVER  .         OVER      TERMINATING
    LOST        .         .        .           .        .     .         OVER      TERMINATING
    EXITED      .         .        .           LEAVING  .     OVER      .         OVER
    TERMINATING .         .        .           LEAVING  .     .         EXITED    KILLING
    KILLING     .         .        .           LEAVING  .     .         EXITED    KILLING

A session begins in HANDSHAKE where it starts a trainer, and in ANSWERING where it takes one that
stayed after its last run. It ends with exactly one ``Finished``: the trainer's own, or one that the
session writes when the trainer could not. It is given out when the process is gone, or, where the
trainer stays for another run, at once: :meth:`Session.release` then hands the trainer over, for the
next session. A trainer that stayed, and is lost before its first message about its next run, is
replaced by another.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from subprocess import Popen

import msgspec

from ...blendtorch.errors import BlendtorchError, ChannelTimeout, PeerLost, WireError
from ...gdr_core import settings as run_settings
from ...gdr_core.messages import (
    ACTIVE,
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


class Phase(enum.Enum):
    """Where a session is between the order and the end of its trainer."""

    HANDSHAKE = enum.auto()
    """The process was started and is not connected yet."""
    ANSWERING = enum.auto()
    """A trainer that stayed has the order, and has sent nothing since."""
    CANCELLING = enum.auto()
    """As ANSWERING, and it was asked to stop."""
    RUNNING = enum.auto()
    """The trainer is connected and at work (or paused)."""
    STOPPING = enum.auto()
    """It was asked to stop."""
    LEAVING = enum.auto()
    """It said that the run is finished."""
    LOST = enum.auto()
    """The connection is gone, the process not yet."""
    EXITED = enum.auto()
    """The process is gone, but its last messages may still be on their way."""
    TERMINATING = enum.auto()
    """The process was asked to terminate."""
    KILLING = enum.auto()
    """The process was killed."""
    OVER = enum.auto()
    """Nothing happens any more."""


class Event(enum.Enum):
    """What leads from one phase to another."""

    CONNECTED = enum.auto()
    SPOKE = enum.auto()
    """The trainer sent a message."""
    STOP = enum.auto()
    """Somebody asked for a stop."""
    FINISHED = enum.auto()
    """The trainer sent its ``Finished``."""
    STAYS = enum.auto()
    """The trainer has finished and waits for its next run."""
    LOST = enum.auto()
    """Nobody is at the other end of the channel, and all that was sent has arrived."""
    EXITED = enum.auto()
    """The process is gone, and all that has arrived was read."""
    LATE = enum.auto()
    """The phase's deadline is over."""


TRANSITIONS: dict[Phase, dict[Event, Phase]] = {
    Phase.HANDSHAKE: {
        Event.CONNECTED: Phase.RUNNING,
        Event.SPOKE: Phase.RUNNING,
        Event.STOP: Phase.TERMINATING,
        Event.LOST: Phase.LOST,
        Event.EXITED: Phase.EXITED,
        Event.LATE: Phase.TERMINATING,
    },
    Phase.ANSWERING: {
        Event.SPOKE: Phase.RUNNING,
        Event.STOP: Phase.CANCELLING,
        Event.LOST: Phase.HANDSHAKE,
        Event.EXITED: Phase.HANDSHAKE,
        Event.LATE: Phase.HANDSHAKE,
    },
    Phase.CANCELLING: {
        Event.SPOKE: Phase.STOPPING,
        Event.LOST: Phase.OVER,
        Event.EXITED: Phase.OVER,
        Event.LATE: Phase.OVER,
    },
    Phase.RUNNING: {
        Event.STOP: Phase.STOPPING,
        Event.FINISHED: Phase.LEAVING,
        Event.LOST: Phase.LOST,
        Event.EXITED: Phase.EXITED,
    },
    Phase.STOPPING: {
        Event.FINISHED: Phase.LEAVING,
        Event.LOST: Phase.LOST,
        Event.EXITED: Phase.EXITED,
        Event.LATE: Phase.TERMINATING,
    },
    Phase.LEAVING: {
        Event.STAYS: Phase.OVER,
        Event.EXITED: Phase.OVER,
        Event.LATE: Phase.TERMINATING,
    },
    Phase.LOST: {
        Event.EXITED: Phase.OVER,
        Event.LATE: Phase.TERMINATING,
    },
    Phase.EXITED: {
        Event.FINISHED: Phase.LEAVING,
        Event.LOST: Phase.OVER,
        Event.LATE: Phase.OVER,
    },
    Phase.TERMINATING: {
        Event.FINISHED: Phase.LEAVING,
        Event.EXITED: Phase.EXITED,
        Event.LATE: Phase.KILLING,
    },
    Phase.KILLING: {
        Event.FINISHED: Phase.LEAVING,
        Event.EXITED: Phase.EXITED,
        Event.LATE: Phase.KILLING,
    },
    Phase.OVER: {},
}

_CONVERSING = frozenset({Phase.ANSWERING, Phase.CANCELLING, Phase.RUNNING, Phase.STOPPING})
"""The phases in which the trainer is asked for things."""
_DEAF = frozenset({Phase.LEAVING, Phase.LOST, Phase.OVER})
"""The phases in which nothing is expected from the trainer any more."""


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
        From the order to the first message of a trainer that stayed.
    lost
        From a lost or closed connection to the end of the process, or the other way round.
    terminate
        From a request to terminate to a kill.
    """

    handshake: float = 120.0
    stop: float = 40.0
    leave: float = 15.0
    answer: float = 10.0
    lost: float = 3.0
    terminate: float = 3.0

    def of(self, phase: Phase) -> float:
        """Return how long a phase may take, infinity if it has no deadline."""
        return {
            Phase.HANDSHAKE: self.handshake,
            Phase.ANSWERING: self.answer,
            Phase.CANCELLING: self.stop,
            Phase.STOPPING: self.stop,
            Phase.LEAVING: self.leave,
            Phase.LOST: self.lost,
            Phase.EXITED: self.lost,
            Phase.TERMINATING: self.terminate,
            Phase.KILLING: self.terminate,
        }.get(phase, math.inf)


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

    Attributes
    ----------
    launch
        As given.
    status
        The run's, as the panel shows it.
    phases
        Those so far, the present one last.

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
        self.phases: list[Phase] = []
        self._deadlines = deadlines
        self._clock = clock
        self._link = link or TrainerLink(launch)
        self._outbox: list[Message] = [self._order()]
        self._events: list[Message] = []
        self._finished: Finished | None = None
        self._kept: TrainerLink | None = None
        self._stop_text = ""
        self._enter(Phase.ANSWERING if link else Phase.HANDSHAKE)

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self.phases[-1]

    @property
    def process(self) -> Popen:
        """The trainer's process."""
        return self._link.process

    @property
    def active(self) -> bool:
        """Whether the run goes on, as far as is known."""
        return self.phase is not Phase.OVER

    def pause(self) -> None:
        """Ask the trainer to hold before its next step."""
        self._ask(PauseRun())

    def resume(self) -> None:
        """Ask the trainer to go on."""
        self._ask(ResumeRun())

    def stop(self, text: str = "") -> None:
        """Ask the trainer to save and end.

        Parameters
        ----------
        text
            The reason, a sentence, if it is not the Stop button.
        """
        if not self.active or self.status == RunStatus.STOPPING:
            return
        self.status = RunStatus.STOPPING
        self._stop_text = text
        self._ask(StopRun())
        self._happen(Event.STOP)

    def release(self) -> TrainerLink | None:
        """Return the trainer if it stays after this run, which is over; None if it does not."""
        link, self._kept = self._kept, None
        return link

    def kill(self, grace: float = 0.6, term: float = 0.6) -> None:
        """End the process now, in at most ``grace + term`` seconds and a little.

        This is the one method that waits: for leaving Blender and disabling the extension.
        """
        if self.active:
            self._link.kill(grace, term)
            self.status = RunStatus.IDLE
            self.phases.append(Phase.OVER)

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
        self._events = []
        if not self.active:
            return self._events
        began = time.perf_counter()
        # Looked at before the channel is read: what an ended process sent is then all there.
        exited = self.process.poll() is not None
        drained = self._receive(began + budget)
        self._flush()
        if self.phase is Phase.LEAVING and self.launch.keep and self._link.well:
            self._kept = self._link
            self._happen(Event.STAYS)
        if exited and drained:
            self._happen(Event.EXITED)
            channel = self._link.channel
            if self.phase is Phase.EXITED and not (channel.connected or channel.peer_lost):
                self._happen(Event.LOST)  # Nobody was ever there.
        if self._clock() >= self._due:
            self._happen(Event.LATE)
        return self._events

    # -- phases ------------------------------------------------------------------------------

    def _happen(self, event: Event) -> None:
        phase = TRANSITIONS[self.phase].get(event)
        if phase is not None:
            self._enter(phase)

    def _enter(self, phase: Phase) -> None:
        if phase is Phase.HANDSHAKE and self.phases:
            phase = self._start_anew()
        elif phase is Phase.TERMINATING:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        elif phase is Phase.KILLING:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        if phase is Phase.OVER:
            self._end()
        self.phases.append(phase)
        self._due = self._clock() + self._deadlines.of(phase)

    def _start_anew(self) -> Phase:
        """Start a trainer in place of one that stayed and is lost; return the phase."""
        log.info("The trainer of the last run is gone; starting another.")
        self._link.let_go()
        self._outbox = [self._order()]
        try:
            self._link = TrainerLink(self.launch)
        except (OSError, BlendtorchError) as error:
            self._finished = self._failed(f"The trainer cannot be started: {error}")
            return Phase.OVER
        return Phase.HANDSHAKE

    def _end(self) -> None:
        """Give out how the run ended, and let go of the trainer unless it stays."""
        end = self._ending()
        self._events.append(end)
        self.status = end.status
        if self._kept is not None:
            self._kept.release_output()
        elif self.process.poll() is None:
            self._link.let_go()
        else:
            self._link.close()

    def _ending(self) -> Finished:
        stopped = self.status == RunStatus.STOPPING
        if self._finished is not None:
            if not (stopped and self._stop_text):
                return self._finished
            text = f"{self._stop_text} {self._finished.text}".strip()
            return msgspec.structs.replace(self._finished, text=text)
        if stopped:
            text = self._stop_text or "Stopped."
            if {Phase.RUNNING, Phase.STOPPING} & set(self.phases):
                text += " The trainer had to be ended, so its last step may be missing."
            return Finished(status=RunStatus.IDLE, text=text, folder=str(self.launch.folder))
        if Phase.TERMINATING not in self.phases:
            line = trainer_process.last_line(self.launch.output)
            how = trainer_process.exit_text(self.process.returncode)
            text = f"The trainer ended unexpectedly ({how})"
            return self._failed(f"{text}: {line}" if line else f"{text}.")
        if Phase.LOST in self.phases:
            return self._failed("The connection to the trainer was lost.")
        seconds = self._deadlines.handshake
        return self._failed(f"The trainer did not answer within {seconds:.0f} seconds.")

    def _failed(self, text: str) -> Finished:
        return Finished(status=RunStatus.FAILED, text=text, folder=str(self.launch.folder))

    # -- messages ----------------------------------------------------------------------------

    def _order(self) -> StartRun:
        return StartRun(
            settings=run_settings.to_dict(self.launch.settings),
            out=str(self.launch.folder),
            keep=self.launch.keep,
            output=str(self.launch.output),
        )

    def _receive(self, until: float) -> bool:
        """Receive until ``until``; return whether nothing is left."""
        channel = self._link.channel
        if self.phase is Phase.HANDSHAKE and channel.connected:
            self._happen(Event.CONNECTED)
        while self.phase not in _DEAF:
            try:
                data = channel.recv(timeoutms=0)
                if data is None:
                    return True
                self._take(unpack(data))
            except PeerLost:
                self._happen(Event.LOST)
                return True
            except (WireError, msgspec.ValidationError) as error:
                log.warning("A message of the trainer was refused: %s", error)
            if time.perf_counter() >= until:
                return False
        return True

    def _take(self, message: Message) -> None:
        self._happen(Event.SPOKE)
        if isinstance(message, Finished):
            self._finished = message
            self._happen(Event.FINISHED)
            return
        if isinstance(message, Status):
            # The end is what Finished says, and not before the process is gone.
            if self.status == RunStatus.STOPPING or message.status not in ACTIVE:
                message = msgspec.structs.replace(message, status=self.status)
            self.status = message.status
        self._events.append(message)

    def _ask(self, message: Message) -> None:
        if self.phase is Phase.HANDSHAKE or self.phase in _CONVERSING:
            self._outbox.append(message)
            self._flush()

    def _flush(self) -> None:
        while self.phase in _CONVERSING and self._outbox:
            try:
                self._link.channel.send(**pack(self._outbox[0]))
            except ChannelTimeout:
                return
            except PeerLost:
                # Its last words come first; then _receive notes the loss.
                self._outbox.clear()
                return
            del self._outbox[0]
