# SPDX-License-Identifier: GPL-3.0-or-later
"""A render pool of workers on a Ray cluster, whose nodes may come and go.

Ray places the workers, starts them again elsewhere when their node is lost, and carries what they
are asked. Which parts they are asked for is decided here, as for the workers of one computer: every
part of a batch is in one place, waiting or with one worker. Lost calls are put back by this pool
and not sent again by Ray (``max_task_retries`` is 0), which would wait for the lost worker's next
life, perhaps for ever, while others are free. The answer to a call that was put back is never
looked at, so each shape is in the result exactly once.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gdr_core import settings as settings_module
from gdr_core.errors import GdrError
from gdr_core.settings import MOST_WORKERS, RenderSettings, RunSettings, TrainingSettings

from ... import blender
from ..batch import Batch, Part, largest_part, most_ahead, most_workers
from ..choice import WORKER_MB
from ..local_pool import IN_FLIGHT, MAX_LOSSES
from ..memory import MB
from ..patience import Stopwatch
from .calls import CallSize, fits_message
from .cluster import Cluster
from .same_code import ROOT, code_id

if TYPE_CHECKING:
    from .worker import Call, RayWorker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Between looks at which nodes there are."""
TEND_EVERY_S = 1.0
"""Between looks at workers that are not well."""
NOBODY_TOLD_S = 20.0
"""Without a worker for so long, a person is told."""
NOBODY_S = 900.0
"""Without a worker for so long, the run ends: a cluster that grows needs minutes for a node."""
MAX_FAILED_STARTS = 3
"""Times in a row that a worker's process may end while it starts."""
_WAIT_S = 0.02
_FETCH_S = 60.0
_STOP_S = 10.0
_LOST = "A render worker of the cluster was lost, and its shapes are rendered again"


class RayPool:
    """Render workers on a Ray cluster.

    Parameters
    ----------
    settings
        ``rendering`` and ``training.size`` are used.
    check
        Called while waiting; may raise to leave.
    tell
        Called with what a person should know, a sentence without its full stop; once for each kind
        and each node.

    Attributes
    ----------
    seconds_rendering
        What the workers say they spent rendering, all of them together.
    call_size
        What was measured of the network, and how much travels at a time because of it.
    """

    def __init__(
        self,
        settings: RunSettings,
        check: Callable[[], None],
        tell: Callable[[str], None] = log.warning,
    ):
        self._rendering = settings.rendering
        self._size = settings.training.size
        self._check = check
        self._tell = tell
        self._told: set[str] = set()
        self._refused: dict[str, str] = {}
        self._troubles: list[str] = []
        self._blenders: dict[str, str] = {}
        self._lost_on: dict[Part, list[str]] = {}
        self._most_workers = most_workers(settings.rendering.renderer, 0)
        self._room = 0
        self._nobody = Stopwatch()
        self._look_at = self._tend_at = 0.0
        self.seconds_rendering = 0.0
        self.call_size = CallSize()
        self._order = _order(settings)
        self._needs = _needs(settings.rendering)
        self._cluster = Cluster(tell)
        self._ray = self._cluster.ray
        self._workers: list[RayWorker] = []
        try:
            self._look_at_nodes()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all workers, and leave the cluster."""
        try:
            stopping = [ref for worker in self._workers if (ref := worker.stop()) is not None]
            if stopping:
                self._ray.wait(stopping, num_returns=len(stopping), timeout=_STOP_S)
            for worker in self._workers:
                worker.end()
            self._workers.clear()
        finally:
            self._cluster.leave()

    def render(self, rows: np.ndarray) -> np.ndarray:
        """See :class:`trainer.rendering.pool.RenderPool`."""
        batch = self._batch(rows)
        for _ in self._turns(batch):
            pass
        return batch.together(batch.finished())

    def stream(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """See :class:`trainer.rendering.pool.RenderPool`."""
        batch = self._batch(rows)
        batch.ahead = 0  # Set when parts are handed out, for the workers that there are then.
        for _ in self._turns(batch):
            yield from batch.finished()

    def _batch(self, rows: np.ndarray) -> Batch:
        most = most_workers(self._rendering.renderer, len(rows))
        if most > self._most_workers:
            self._most_workers = most
            self._look_at_nodes()
        return Batch(rows, self._size, len(self._workers), self._largest())

    def _largest(self) -> int:
        return largest_part(self._rendering.renderer, self._size)

    def _turns(self, batch: Batch) -> Iterator[None]:
        """Render until nothing of the batch is missing; yield after each look at the workers."""
        self._lost_on.clear()
        for worker in self._workers:
            for call in worker.calls:
                for part in call.parts:
                    part.wanted = False  # Of a batch that was given up.
        while batch.missing:
            self._check()
            self._look_after_workers()
            self._give(batch)
            self._take(batch)
            yield

    # --- work ------------------------------------------------------------------------------------

    def _give(self, batch: Batch) -> None:
        """Hand out waiting parts, in turns: no worker has a second call before all have one.

        The last ones go to who is free: with a worker that is busy they would only wait.
        """
        able = [worker for worker in self._workers if worker.ready]
        many = self.call_size.parts(len(batch.waiting), max(1, len(able)))
        if batch.ahead is not None:
            batch.ahead = most_ahead(len(able), IN_FLIGHT * many, self._largest(), self._size)
        for depth in range(IN_FLIGHT):
            for worker in able:
                if not batch.may_hand_out or (depth and len(batch.waiting) < len(able)):
                    return
                if len(worker.calls) == depth and (parts := self._for(worker, batch, many)):
                    worker.send(parts, batch.count)

    @staticmethod
    def _for(worker: RayWorker, batch: Batch, many: int) -> list[Part]:
        """Return what the worker is asked for next, and let nobody else have it.

        A part over which a worker was lost travels alone, so that it is clear what is to blame.
        """
        busy_with = [part for call in worker.calls for part in call.parts]
        if batch.waiting[0].losses:
            return [] if busy_with else [batch.hand_out()]
        if any(part.losses for part in busy_with):
            return []
        parts: list[Part] = []
        while len(parts) < many and batch.may_hand_out and not batch.waiting[0].losses:
            parts.append(batch.hand_out())
        return parts

    def _take(self, batch: Batch) -> None:
        """Wait for answers, and take those that there are."""
        refs = [ref for worker in self._workers for ref in worker.waited_for()]
        if not refs:
            time.sleep(_WAIT_S)
            return
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        if not self._take_done(set(done), batch):
            more = min(len(done) + 1, len(refs))
            done, _ = self._ray.wait(refs, num_returns=more, timeout=_WAIT_S)
            self._take_done(set(done), batch)

    def _take_done(self, done: set, batch: Batch) -> bool:
        """Take the answers of which all is here; return whether there were any."""
        any_taken = False
        for worker in list(self._workers):
            for ref in worker.answered(done):
                # What was taken before it may have cost the worker.
                if worker in self._workers and ref in worker.waited_for():
                    self._take_one(worker, ref, batch)
                    any_taken = True
        return any_taken

    def _take_one(self, worker: RayWorker, ref: Any, batch: Batch) -> None:
        starts = worker.is_start(ref)
        try:
            answer, *images = self._ray.get([ref, *worker.images_with(ref)], timeout=_FETCH_S)
        except self._ray.exceptions.RayError as error:
            if starts:
                self._fail_to_start(worker, error)
            else:
                self._lose(worker, batch, error)
            return
        if starts:
            self._welcome(worker, answer)
            return
        call = worker.take(ref)
        if call is not None:
            if not answer["to_blame"]:
                trip = time.perf_counter() - call.sent - answer["seconds"]
                self.call_size.note(
                    len(call.parts), answer["seconds"], trip if call.alone else None
                )
            self._take_answer(worker, call, answer, images, batch)

    def _take_answer(
        self, worker: RayWorker, call: Call, answer: dict[str, Any], images: list, batch: Batch
    ) -> None:
        for notice in answer["notices"]:
            self._tell_once(notice.partition(":")[0], f"On {worker.host}: {notice}")
        if answer["to_blame"] == "node":
            batch.put_back(call.parts)
            self._refuse(worker, answer["trouble"], batch)
            return
        if not any(part.wanted for part in call.parts):
            return
        if answer["to_blame"]:
            raise GdrError(answer["trouble"])
        if len(call.parts) == 1 and fits_message(self._size):
            batch.put(call.parts[0], *images)
        else:
            # Copied out of the node's object store, which would keep them as long as we do.
            found, taken = np.concatenate(images), 0
            for part in call.parts:
                batch.put(part, found[taken : taken + len(part)])
                taken += len(part)
        self.seconds_rendering += answer["rendering"]

    # --- workers that come and go ----------------------------------------------------------------

    def _look_after_workers(self) -> None:
        """Do what is due: have as many as there should be, and see to those that are not well."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at_nodes()
        if now >= self._tend_at:
            self._tend_at = now + TEND_EVERY_S
            for worker in self._workers:
                if worker.look_after():
                    log.info("A render worker on %s hangs and is started again", worker.host)
                    worker.restart()
        if any(worker.ready for worker in self._workers):
            self._nobody.restart()
        else:
            self._wait_for_somebody()

    def _look_at_nodes(self) -> None:
        """Have as many workers as suit the nodes that there are."""
        self._look_at = time.monotonic() + LOOK_EVERY_S
        nodes = self._cluster.nodes()
        good = [node for node in nodes if node.id not in self._refused]
        self._room = sum(node.fits(self._needs) for node in good)
        self._troubles = [self._refused[node.id] for node in nodes if node.id in self._refused]
        chosen = max(1, min(self._room, self._most_workers, MOST_WORKERS["ray"]))
        wanted = self._rendering.workers or chosen
        while len(self._workers) < wanted:
            self._workers.append(self._start())
        if len(self._workers) > wanted:
            self._drop(len(self._workers) - wanted)

    def _drop(self, many: int) -> None:
        """End workers for which there is no room any more; none that works is among them."""
        for worker in [worker for worker in self._workers if not worker.ready][-many:]:
            self._workers.remove(worker)
            worker.end()

    def _wait_for_somebody(self) -> None:
        """Tell that there is no worker, and end the run when there will be none."""
        if not self._room and self._troubles:
            raise GdrError(
                f"No render worker could be started on the cluster. {self._troubles[-1]}"
            )
        waited = self._nobody.look()
        if not self._room and waited > NOBODY_TOLD_S:
            self._tell_once(
                "room",
                f"No node of the cluster has room for a render worker, which takes "
                f"{self._needs_in_words()}; waiting for one to join",
            )
        if waited > NOBODY_S:
            raise GdrError(
                f"No render worker was started on the cluster within {NOBODY_S / 60:.0f} minutes. "
                f"Each takes {self._needs_in_words()}; ray status says what the cluster has."
            )

    def _start(self) -> RayWorker:
        from .worker import RayWorker  # It needs Ray.

        options: dict[str, Any] = {
            "num_cpus": self._rendering.worker_cpus,
            "num_gpus": self._rendering.worker_gpus,
            "memory": self._needs["memory"],
            "max_restarts": -1,
            "max_task_retries": 0,
            "scheduling_strategy": "SPREAD",
        }
        if self._refused:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._refused)})"}
        return RayWorker(options, self._order)

    def _welcome(self, worker: RayWorker, answer: dict[str, Any]) -> None:
        worker.welcome(answer)
        if answer["trouble"]:
            self._refuse(worker, answer["trouble"], None)
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
            self._tell_once(
                "blenders",
                f"The cluster renders with different Blenders ({which}), whose images may differ "
                f"a little",
            )

    def _refuse(self, worker: RayWorker, trouble: str, batch: Batch | None) -> None:
        """Render nothing on this worker's node any more."""
        for call in worker.lost():
            if batch is not None:
                batch.put_back(call.parts)
        self._workers.remove(worker)
        worker.end()
        self._look_at = 0.0
        if worker.node in self._refused:
            return
        said = f"The node {worker.host} ({worker.node[:8]}) renders nothing: {trouble.rstrip('.')}"
        self._refused[worker.node] = f"{said}."
        self._tell(said)

    def _fail_to_start(self, worker: RayWorker, error: Exception) -> None:
        """See what becomes of a worker that did not answer when it was asked to start."""
        if isinstance(error, self._ray.exceptions.ActorUnavailableError):
            worker.start_again()  # On its way to another node.
            return
        worker.failed_starts += 1
        if worker.failed_starts < MAX_FAILED_STARTS:
            worker.start_again()
            return
        self._workers.remove(worker)
        worker.end()
        text = str(error).strip().splitlines()[0].rstrip(".:")
        if not any(other.ready for other in self._workers):
            raise GdrError(f"No render worker could be started on the cluster: {text}.") from error
        self._tell_once("start", f"A render worker of the cluster does not start: {text}")

    def _lose(self, worker: RayWorker, batch: Batch, error: Exception) -> None:
        """Take back what a lost worker had; Ray starts it again where there is room."""
        calls = worker.lost()
        log.info("A render worker on %s (%s) was lost: %s", worker.host, worker.node[:8], error)
        self._tell_once("lost", f"{_LOST}: {_reason(error)} on {worker.host}")
        for call in reversed(calls[1:]):
            batch.put_back(call.parts)
        if calls:
            batch.put_back(self._suspects(worker.node, calls[0].parts, batch))
        self._look_at = 0.0

    def _suspects(self, node: str, parts: list[Part], batch: Batch) -> list[Part]:
        """Return the pieces of parts over which a worker was lost, to be rendered alone.

        A node that was lost with its worker is to blame itself, and the parts are not.
        """
        alive = {found.id for found in self._cluster.nodes()}
        suspects: list[Part] = []
        for part in (part for part in parts if part.wanted):
            nodes = [*self._lost_on.pop(part, []), node]
            part.losses = sum(each in alive for each in nodes)
            if part.losses >= MAX_LOSSES:
                raise GdrError(
                    f"{part.losses} render workers in a row were lost over the same "
                    f"{part.in_words(batch.count)}, on nodes that are well. Give workers "
                    f"more memory (--worker-memory), or look at what is asked of them there."
                )
            pieces = batch.pieces(part) if part.losses else [part]
            self._lost_on |= dict.fromkeys(pieces, nodes)
            suspects += pieces
        return suspects

    # --- what is said ----------------------------------------------------------------------------

    def _tell_once(self, kind: str, text: str) -> None:
        log.info("%s", text)
        if kind not in self._told:
            self._told.add(kind)
            self._tell(text)

    def _needs_in_words(self) -> str:
        names = {"CPU": "CPUs", "GPU": "GPUs"}
        found = [f"{much:g} {names[name]}" for name, much in self._needs.items() if name in names]
        return ", ".join([*found, f"{self._needs['memory'] / MB:.0f} MB of memory"])


def _order(settings: RunSettings) -> dict[str, Any]:
    """Return what each worker is told when it starts."""
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


def _needs(rendering: RenderSettings) -> dict[str, float]:
    """Return what a worker takes of its node, by Ray's names."""
    needs = {"CPU": rendering.worker_cpus, "GPU": rendering.worker_gpus}
    needs = {name: much for name, much in needs.items() if much}
    return needs | {"memory": math.ceil(rendering.worker_memory or WORKER_MB) * MB}


def _reason(error: Exception) -> str:
    """Return what happened, short enough for a notice."""
    return {
        "ActorUnavailableError": "its node or its process is gone",
        "ActorDiedError": "its process ended",
    }.get(type(error).__name__, f"its answer was lost ({type(error).__name__})")
