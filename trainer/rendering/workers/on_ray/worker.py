# SPDX-License-Identifier: GPL-3.0-or-later
"""One render worker of the cluster, seen from here: a Ray actor and what it was asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray

from ..batch import Part
from ..patience import Stopwatch
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


@dataclass(eq=False)
class Call:
    """Parts that are on their way together.

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
    parts: list[Part]
    alone: bool
    sent: float = field(default_factory=time.perf_counter)


class RayWorker:
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
    calls
        What it was asked for and has not answered, the oldest first.
    ready
        Whether it has said what it is.
    node, host
        Where it is, or was last; empty while it has not been anywhere.
    failed_starts
        Times in a row that it did not answer when it was asked to start.
    """

    def __init__(self, options: Mapping[str, Any], order: Mapping[str, Any]):
        self.calls: list[Call] = []
        self.ready = False
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
        self.ready = False
        self._pulse = None
        self._started = self._actor.start.remote(self._order)

    def start_again(self) -> None:
        """Ask it to start in a moment."""
        self.ready, self._started = False, None
        self._pulse = None
        self._start_at = time.monotonic() + STARTS_AGAIN_S

    def send(self, parts: list[Part], count: int) -> None:
        """Ask for parts of a batch of ``count`` shapes."""
        plain = [{"first": part.span.start, "rows": part.rows} for part in parts]
        if not self.calls:
            self._quiet.restart()
        messages = len(travelling(sum(map(len, parts)), self._size))
        refs = self._actor.render.options(num_returns=1 + messages).remote(plain, count)
        waited_for = refs[:1] if fits_message(self._size) else refs
        self.calls.append(Call(refs[0], refs[1:], waited_for, parts, alone=not self.calls))

    def images_with(self, ref: ray.ObjectRef) -> list[ray.ObjectRef]:
        """Return what comes with this answer."""
        return next((call.images for call in self.calls if call.ref == ref), [])

    def take(self, ref: ray.ObjectRef) -> Call | None:
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
        self.ready = not answer["trouble"]
        self.failed_starts = 0

    # --- what is watched -------------------------------------------------------------------------

    def waited_for(self) -> list[ray.ObjectRef]:
        """Return all that it is to answer, large images included, so that Ray brings them here."""
        found = [ref for call in self.calls for ref in call.waited_for]
        return found + [ref for ref in (self._started, self._pulse) if ref is not None]

    def answered(self, here: set[ray.ObjectRef]) -> list[ray.ObjectRef]:
        """Return the answers that can be taken, given all that is here by now."""
        found = [call.ref for call in self.calls if here.issuperset(call.waited_for)]
        return found + [ref for ref in (self._started, self._pulse) if ref in here]

    def look_after(self) -> bool:
        """Ask it to start, or for its pulse, where that is due; return whether it hangs.

        To be called once a second.
        """
        if self._started is None and not self.ready:
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

    def lost(self) -> list[Call]:
        """Take back what it was asked for; what it may still answer is not looked at."""
        calls, self.calls = self.calls, []
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
