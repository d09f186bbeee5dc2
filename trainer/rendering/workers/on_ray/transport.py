# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers on a Ray cluster, whose nodes may come and go.

Ray places the workers, starts them again elsewhere when their node is lost, and carries their
calls. Lost calls are given back to the dispatcher and not sent again by Ray (``max_task_retries``
is 0), which would wait for the lost worker's next life, perhaps for ever, while others are free.
The answer to a call that was given back is never looked at.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gdr_core import settings as settings_module
from gdr_core.errors import GdrError
from gdr_core.settings import MOST_WORKERS, RunSettings, TrainingSettings

from ... import blender
from ..batch import RenderJob, most_workers
from ..notices import Notices
from ..patience import Stopwatch
from ..transport import Event, Failed, Lost, Rendered, Returned, Transport
from .calls import CallSize, fits_message
from .cluster import Cluster
from .nodes import Nodes
from .same_code import ROOT, code_id

if TYPE_CHECKING:
    from .worker import RayCall, RayWorker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Between looks at which nodes there are."""
TEND_EVERY_S = 1.0
"""Between looks at workers that are not well."""
NOTICE_NOBODY_S = 20.0
"""Without a worker for so long, a person is notified."""
NOBODY_S = 900.0
"""Without a worker for so long, the run ends: a cluster that grows needs minutes for a node."""
MAX_FAILED_STARTS = 3
"""Times in a row that a worker's process may end while it starts."""
_FETCH_S = 60.0
_STOP_S = 10.0
_LOST = "A render worker of the cluster was lost, and its images are rendered again"
_ADVICE = (
    " The nodes are well: give workers more memory (--worker-memory), or look at what is asked of "
    "them there."
)


class RayTransport(Transport):
    """Each worker is a Ray actor, whose calls bring several jobs.

    Parameters
    ----------
    settings
        ``scene``, ``rendering`` and ``training.size`` are used.
    notices
        What a person should know.

    Attributes
    ----------
    call_size
        What was measured of the network, and how much travels at a time because of it.
    nodes
        Where workers can be.
    """

    workers: list[RayWorker]

    def __init__(self, settings: RunSettings, notices: Notices):
        super().__init__(notices)
        self._rendering = settings.rendering
        self._size = settings.training.size
        self._blenders: dict[str, str] = {}
        self._most_workers = most_workers(settings.rendering.renderer, 0)
        self._nobody = Stopwatch()
        self._look_at = self._tend_at = 0.0
        self.call_size = CallSize()
        self._order = _order(settings)
        self._cluster = Cluster(lambda text: notices.once("cluster", text))
        self._ray = self._cluster.ray
        self.nodes = Nodes(self._cluster, settings.rendering)
        try:
            self._look_at_nodes()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all workers, and leave the cluster."""
        try:
            stopping = [ref for worker in self.workers if (ref := worker.stop()) is not None]
            if stopping:
                self._ray.wait(stopping, num_returns=len(stopping), timeout=_STOP_S)
            for worker in self.workers:
                worker.end()
            self.workers.clear()
        finally:
            self._cluster.leave()

    # --- as Transport has it ---------------------------------------------------------------------

    def events(self, wait_s: float) -> Iterator[Event]:
        refs = [ref for worker in self.workers for ref in worker.waited_for()]
        if not refs:
            time.sleep(wait_s)
            return
        here, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        if wait_s and not any(worker.answered(set(here)) for worker in self.workers):
            one_more = min(len(here) + 1, len(refs))
            here, _ = self._ray.wait(refs, num_returns=one_more, timeout=wait_s)
        for worker in list(self.workers):
            for ref in worker.answered(set(here)):
                # What was taken before it may have cost the worker.
                if worker in self.workers and ref in worker.waited_for():
                    yield from self._take(worker, ref)

    def tend(self) -> None:
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at_nodes()
        if now >= self._tend_at:
            self._tend_at = now + TEND_EVERY_S
            for worker in self.workers:
                if worker.look_after():
                    log.info("A render worker on %s hangs and is started again", worker.host)
                    worker.restart()
        if any(worker.ready for worker in self.workers):
            self._nobody.restart()
        else:
            self._wait_for_somebody()

    def send(self, worker: RayWorker, jobs: list[RenderJob], count: int) -> None:
        worker.send(jobs, count)

    def sharing(self, count: int) -> int:
        most = most_workers(self._rendering.renderer, count)
        if most > self._most_workers:
            self._most_workers = most
            self._look_at_nodes()
        return len(self.workers)

    def jobs_a_call(self, waiting: int, workers: int) -> int:
        return self.call_size.jobs(waiting, workers)

    def places(self) -> set[str]:
        return {node.id for node in self._cluster.nodes()}

    # --- answers ---------------------------------------------------------------------------------

    def _take(self, worker: RayWorker, ref: Any) -> Iterator[Event]:
        starts = worker.is_start(ref)
        try:
            answer, *images = self._ray.get([ref, *worker.images_with(ref)], timeout=_FETCH_S)
        except self._ray.exceptions.RayError as error:
            if starts:
                self._fail_to_start(worker, error)
            else:
                yield self._lose(worker, error)
            return
        if starts:
            self._welcome(worker, answer)
        elif (call := worker.take(ref)) is not None:
            yield self._answer(worker, call, answer, images)

    def _answer(
        self, worker: RayWorker, call: RayCall, answer: dict[str, Any], images: list[np.ndarray]
    ) -> Event:
        for notice in answer["notices"]:
            self.notices.once(notice.partition(":")[0], f"On {worker.host}: {notice}")
        if answer["to_blame"] == "node":
            return Returned([call, *self._refuse(worker, answer["trouble"])])
        if answer["to_blame"]:
            return Failed(call, answer["trouble"])
        trip = time.perf_counter() - call.sent - answer["seconds"]
        self.call_size.note(len(call.jobs), answer["seconds"], trip if call.alone else None)
        if not fits_message(self._size):
            # Out of the node's object store, which would keep them as long as we do.
            images = list(map(np.array, images))
        return Rendered(call, images, answer["rendering"])

    def _welcome(self, worker: RayWorker, answer: dict[str, Any]) -> None:
        worker.welcome(answer)
        if answer["trouble"]:
            self._refuse(worker, answer["trouble"])
            return
        log.info(
            "Render worker ready on %s: Blender %s, %s",
            answer["host"],
            answer["blender"],
            answer["device"],
        )
        self._blenders.setdefault(answer["blender"], answer["host"])
        if len(self._blenders) > 1:
            which = ", ".join(f"{name} on {host}" for name, host in self._blenders.items())
            self.notices.once(
                "blenders",
                f"The cluster renders with different Blenders ({which}), whose images may differ "
                f"a little",
            )

    # --- workers that come and go ----------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        """Have as many workers as suit the nodes that there are."""
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self.nodes.look()
        chosen = max(1, min(self.nodes.room, self._most_workers, MOST_WORKERS["ray"]))
        wanted = self._rendering.workers or chosen
        while len(self.workers) < wanted:
            self.workers.append(self._start())
        if len(self.workers) > wanted:
            # There is no room for them any more; none that works is among them.
            idle = [worker for worker in self.workers if not worker.ready]
            for worker in idle[wanted - len(self.workers) :]:
                self._end(worker)

    def _start(self) -> RayWorker:
        from .worker import RayWorker  # It needs Ray.

        return RayWorker(self.nodes.options(), self._order)

    def _end(self, worker: RayWorker) -> None:
        self.workers.remove(worker)
        worker.end()

    def _wait_for_somebody(self) -> None:
        """Say that there is no worker, and end the run when there will be none."""
        if self.nodes.trouble:
            raise GdrError(
                f"No render worker could be started on the cluster. {self.nodes.trouble}"
            )
        waited = self._nobody.look()
        if not self.nodes.room and waited > NOTICE_NOBODY_S:
            self.notices.once(
                "room",
                f"No node of the cluster has room for a render worker, which takes "
                f"{self.nodes.needs}; waiting for one to join",
            )
        if waited > NOBODY_S:
            raise GdrError(
                f"No render worker was started on the cluster within {NOBODY_S / 60:.0f} minutes. "
                f"Each takes {self.nodes.needs}; ray status says what the cluster has."
            )

    def _refuse(self, worker: RayWorker, trouble: str) -> list[RayCall]:
        """Render nothing on this worker's node any more; return the calls that it had."""
        calls = worker.lose()
        self._end(worker)
        self._look_at = 0.0
        if worker.node not in self.nodes.refusals:
            text = (
                f"The node {worker.host} ({worker.node[:8]}) renders nothing: {trouble.rstrip('.')}"
            )
            self.nodes.refusals[worker.node] = f"{text}."
            self.notices.once(worker.node, text)
        return calls

    def _fail_to_start(self, worker: RayWorker, error: Exception) -> None:
        """See what becomes of a worker that did not answer when it was asked to start."""
        if isinstance(error, self._ray.exceptions.ActorUnavailableError):
            worker.start_again()  # On its way to another node.
            return
        worker.failed_starts += 1
        if worker.failed_starts < MAX_FAILED_STARTS:
            worker.start_again()
            return
        self._end(worker)
        text = str(error).strip().splitlines()[0].rstrip(".:")
        if not any(other.ready for other in self.workers):
            raise GdrError(f"No render worker could be started on the cluster: {text}.") from error
        self.notices.once("start", f"A render worker of the cluster does not start: {text}")

    def _lose(self, worker: RayWorker, error: Exception) -> Lost:
        """Give back the calls of a lost worker; Ray starts it again where there is room."""
        log.info("A render worker on %s (%s) was lost: %s", worker.host, worker.node[:8], error)
        self._look_at = 0.0
        reason = f"{_reason(error)} on {worker.host}"
        return Lost(worker.lose(), "lost", _LOST, reason, worker.node, _ADVICE)


def _order(settings: RunSettings) -> dict[str, Any]:
    """Return the order with which each worker starts."""
    rendering = msgspec.structs.replace(settings.rendering, pool="local", workers=1)
    plain = settings_module.to_dict(
        RunSettings(
            scene=settings.scene,
            training=TrainingSettings(size=settings.training.size),
            rendering=rendering,
        )
    )
    script = os.path.relpath(blender.WORKER_SCRIPT, ROOT)
    return {"code": code_id(), "settings": plain, "script": script}


def _reason(error: Exception) -> str:
    """Return what happened, short enough for a notice."""
    return {
        "ActorUnavailableError": "its node or its process is gone",
        "ActorDiedError": "its process ended",
    }.get(type(error).__name__, f"its answer was lost ({type(error).__name__})")
