# SPDX-License-Identifier: GPL-3.0-or-later
"""One render worker of the cluster, seen from here: a Ray actor and its calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray

from ..batch import RenderJob
from ..patience import Stopwatch
from ..transport import Call, Phase, Worker
from . import actor as actor_code
from .calls import fits_message, travelling

PULSE_EVERY_S = 10.0
"""A worker that answers nothing for so long is asked whether it lives ..."""
PULSE_S = 60.0
"""... and counts as hung if it does not say so within this."""
STARTS_AGAIN_S = 1.0
"""Between questions to one that is on its way to another node."""
_PULSE = "pulse"

# Arrives also where this code is not; see there.
ray.cloudpickle.register_pickle_by_value(actor_code)


@dataclass(eq=False, kw_only=True)
class RayCall(Call):
    """Jobs that are on their way together.

    Attributes
    ----------
    ref, images
        Ray's names of the answer and of the images, cut as :func:`.calls.travelling` has it.
    waited_for
        Those to wait for: the answer brings the others with it if they fit a message.
    alone
        Whether the worker had nothing else to do when it was sent.
    sent
        When that was.
    """

    ref: ray.ObjectRef
    images: list[ray.ObjectRef]
    waited_for: list[ray.ObjectRef]
    alone: bool
    sent: float = field(default_factory=time.perf_counter)


class RayWorker(Worker):
    """A Ray actor with one render worker.

    Ray starts it where there is room, and again elsewhere when its node is lost.

    Parameters
    ----------
    options
        Of the actor: what it needs, and where it must not be.
    order
        As :meth:`.actor.RenderActor.start` takes it.

    Attributes
    ----------
    node, host
        Where it is, or was last; empty while it has not been anywhere.
    failed_starts
        Times in a row that it did not answer when it was asked to start.
    """

    calls: deque[RayCall]

    def __init__(self, options: Mapping[str, Any], order: Mapping[str, Any]):
        super().__init__()
        self.node = self.host = ""
        self.failed_starts = 0
        self._order = order
        self._size = order["settings"]["training"]["size"]
        actor = ray.remote(concurrency_groups={_PULSE: 1})(actor_code.RenderActor)
        self._actor = actor.options(**options).remote()
        self._pulse: ray.ObjectRef | None = None
        self._quiet = Stopwatch()
        self._start_at = 0.0
        self._started: ray.ObjectRef | None = None
        self.start()

    # --- what it is asked ------------------------------------------------------------------------

    def start(self) -> None:
        """Ask it to start, wherever it is by now; it gets nothing to render before it answers."""
        self.phase = Phase.STARTING
        self._pulse = None
        self._started = self._actor.start.remote(self._order)

    def start_again(self) -> None:
        """Ask it to start in a moment."""
        self.phase = Phase.AWAY
        self._started = self._pulse = None
        self._start_at = time.monotonic() + STARTS_AGAIN_S

    def send(self, jobs: list[RenderJob], count: int) -> None:
        """Ask for jobs of a batch of ``count`` images."""
        plain = [{"first": job.span.start, "rows": job.rows} for job in jobs]
        if not self.calls:
            self._quiet.restart()
        messages = len(travelling(sum(map(len, jobs)), self._size))
        refs = self._actor.render.options(num_returns=1 + messages).remote(plain, count)
        waited_for = refs[:1] if fits_message(self._size) else refs
        alone = not self.calls
        self.calls.append(
            RayCall(jobs, ref=refs[0], images=refs[1:], waited_for=waited_for, alone=alone)
        )

    def images_with(self, ref: ray.ObjectRef) -> list[ray.ObjectRef]:
        """Return what comes with this answer."""
        return next((call.images for call in self.calls if call.ref == ref), [])

    def take(self, ref: ray.ObjectRef) -> RayCall | None:
        """Return the call that this answers, which is done with; None for what is no call."""
        self._quiet.restart()
        if ref == self._pulse:
            self._pulse = None
        for call in self.calls:
            if call.ref == ref:
                self.calls.remove(call)
                return call
        return None

    def is_start(self, ref: ray.ObjectRef) -> bool:
        """Whether this is the answer to :meth:`start`."""
        return ref == self._started

    def welcome(self, answer: Mapping[str, Any]) -> None:
        """Take in where it is."""
        self._started = None
        self.node, self.host = answer["node"], answer["host"]
        self.failed_starts = 0
        if not answer["trouble"]:
            self.phase = Phase.READY

    # --- what is watched -------------------------------------------------------------------------

    def waited_for(self) -> list[ray.ObjectRef]:
        """Return all that it is to answer, large images included, so that Ray brings them here."""
        refs = [ref for call in self.calls for ref in call.waited_for]
        return refs + [ref for ref in (self._started, self._pulse) if ref is not None]

    def answered(self, here: set[ray.ObjectRef]) -> list[ray.ObjectRef]:
        """Return the answers that can be taken, given all that is here by now."""
        refs = [call.ref for call in self.calls if here.issuperset(call.waited_for)]
        return refs + [ref for ref in (self._started, self._pulse) if ref in here]

    def look_after(self) -> bool:
        """Ask it to start, or for its pulse, where that is due; return whether it hangs.

        To be called once a second.
        """
        if self.phase is Phase.AWAY:
            if time.monotonic() >= self._start_at:
                self.start()
            return False
        if not (self.ready and self.calls):
            self._quiet.restart()
            return False
        quiet = self._quiet.look()
        if self._pulse is None and quiet > PULSE_EVERY_S:
            self._pulse = self._actor.pulse.options(concurrency_group=_PULSE).remote()
        return self._pulse is not None and quiet > PULSE_EVERY_S + PULSE_S

    def lose(self) -> list[RayCall]:
        """Give back all calls; what it may still answer to them is not looked at."""
        calls = list(self.calls)
        self.calls.clear()
        self.start_again()
        return calls

    # --- how it ends -----------------------------------------------------------------------------

    def restart(self) -> None:
        """End its process, and have Ray start another one."""
        self._pulse = None
        self._quiet.restart()
        ray.kill(self._actor, no_restart=False)

    def end(self) -> None:
        """End it for good; its Blender ends with it."""
        ray.kill(self._actor, no_restart=True)

    def stop(self) -> ray.ObjectRef | None:
        """Ask it to end its Blender and tidy up; None where it is not free to."""
        return self._actor.stop.remote() if self.ready and not self.calls else None
