# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's side of a Ray actor: a local pool of one worker, which renders what a call brings.

Whatever a worker on this computer is guarded against (it dies, hangs, grows, does not start) it is
guarded against here by the same code. What is left to the other side is the loss of the node.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from gdr_core import settings
from gdr_core.errors import GdrError

from ... import blender
from ..batch import Batch, RenderJob
from ..dispatcher import Dispatcher
from ..local_transport import LocalTransport, NoWorkerStarts
from ..notices import Notices
from .calls import travelling
from .same_code import ROOT


class RayHost:
    """One render worker of this node.

    Parameters
    ----------
    order
        As :meth:`.actor.RenderActor.start` has it.

    Raises
    ------
    GdrError
        No worker can be started.
    """

    def __init__(self, order: dict[str, Any]):
        blender.WORKER_SCRIPT = ROOT / order["script"]
        self._notices: list[str] = []
        self._logs = tempfile.TemporaryDirectory(prefix="gdr-", ignore_cleanup_errors=True)
        run = settings.from_dict(order["settings"])
        self._size = run.training.size
        notices = Notices(self._notices.append)
        self._workers = LocalTransport(
            run, Path(self._logs.name), notices, cores=max(1.0, run.rendering.worker_cpus)
        )
        self._pool = Dispatcher(run, self._workers, lambda: None)
        try:
            self._pool.wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def description(self) -> dict[str, str]:
        """What the worker said of itself."""
        greeting = self._workers.greeting
        return {"blender": greeting.blender, "device": greeting.device}

    def render(self, jobs: list[dict[str, Any]], count: int) -> tuple:
        """Render some jobs of a batch of ``count`` images.

        Parameters
        ----------
        jobs
            Each with ``first`` (its place in the batch) and ``rows``.

        Returns
        -------
        tuple
            A dictionary, then the images of all jobs, cut as :func:`.calls.travelling` has it.
            ``trouble`` is a sentence where there are no images, and else empty; ``to_blame`` is
            ``images`` or ``node`` then; ``seconds`` is what this took, of which the worker spent
            ``rendering``; ``notices`` are for a person.
        """
        started, rendered = time.perf_counter(), self._pool.seconds_rendering
        todo = [
            RenderJob(slice(job["first"], job["first"] + len(job["rows"])), job["rows"])
            for job in jobs
        ]
        batch = Batch.of_jobs(todo, count, self._size)
        answer: dict[str, Any] = {"trouble": "", "to_blame": ""}
        together = travelling(sum(map(len, todo)), self._size)
        images: list[np.ndarray | None] = [None] * len(together)
        try:
            self._pool.render_batch(batch)
            pieces = [piece for job in todo for piece in batch.images_of(job)]
            whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
            images = [whole[rows] for rows in together]
        except NoWorkerStarts as error:
            answer |= {"trouble": str(error), "to_blame": "node"}
        except GdrError as error:
            answer |= {"trouble": str(error), "to_blame": "images"}
        notices, self._notices[:] = list(self._notices), []
        answer |= {
            "seconds": time.perf_counter() - started,
            "rendering": self._pool.seconds_rendering - rendered,
            "notices": notices,
        }
        return answer, *images

    def close(self) -> None:
        """End the worker."""
        self._pool.close()
        self._logs.cleanup()
