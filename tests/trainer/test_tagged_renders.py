# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and parameters belong together, whatever happens to the workers.

Each row is a tag, which is read back from its image: of all rows' images, each rendered by itself
by the renderer in another process, it is like one only. Meanwhile workers are killed,
stopped for good, held up for a moment, so that answers come out of order, and renewed.
"""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from pool_helpers import GRID, SCENE, SIZE, settings, workers

from gdr_core.supershape.parameters import INDEX
from trainer.rendering.open import open_pool
from trainer.rendering.workers.transport import Lost, Rendered

pytestmark = pytest.mark.slow

ALONE = Path(__file__).with_name("scripts") / "render_alone.py"
TAGS = 48
DEADLINE_S = 400.0


def tagged() -> np.ndarray:
    """Return ``(TAGS, P)`` rows, each unlike all others."""
    batch = np.repeat(SCENE.resolve().row()[None], TAGS, axis=0)
    first, second = np.divmod(np.arange(TAGS), 6)
    batch[:, INDEX["m1"]] = 2 + first
    batch[:, INDEX["m2"]] = 3 + second
    return batch


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the images of all tags, each rendered by itself."""
    folder = tmp_path_factory.mktemp("alone")
    np.save(folder / "rows.npy", tagged())
    command = [sys.executable, ALONE, folder / "rows.npy", folder / "images.npy", SIZE, GRID]
    subprocess.run(list(map(str, command)), check=True, timeout=300, capture_output=True)
    images = np.load(folder / "images.npy").astype(int)
    apart = np.abs(images[:, None] - images[None]).reshape(TAGS, TAGS, -1).max(axis=2)
    assert apart[~np.eye(TAGS, dtype=bool)].min() > 10
    return images


def read_tag(image: np.ndarray, alone: np.ndarray) -> int:
    """Return the number of the one row that the image shows."""
    (found,) = np.flatnonzero((alone == image).all(axis=(1, 2, 3)))
    return int(found)


class Trouble(threading.Thread):
    """Does harm to workers that are ready, in a random order, a while apart.

    At the end workers are stopped until one counts as hung: any may be renewed or killed first.
    """

    def __init__(self, pool, notices: list[str], seed: int):
        super().__init__(daemon=True)
        self.done: list[str] = []
        self._pool = pool
        self._random = random.Random(seed)
        self._notices = notices
        self._todo = ["kill"] * 4 + ["stop"] * 3 + ["hold up"] * 4
        self._random.shuffle(self._todo)
        self._deadline = time.monotonic() + DEADLINE_S

    def run(self) -> None:
        for what in self._todo:
            time.sleep(self._random.uniform(0.3, 1.5))
            self._harm(what)
        while not any("hung" in text for text in self._notices):
            if time.monotonic() > self._deadline:
                raise TimeoutError("No worker counted as hung.")
            victim = self._harm("stop")
            while psutil.pid_exists(victim) and time.monotonic() < self._deadline:
                time.sleep(0.05)

    def _harm(self, what: str) -> int:
        """Return whom it was done to."""
        victim = self._random.choice(self._ready())
        with contextlib.suppress(ProcessLookupError):  # It may just have been renewed.
            os.kill(victim, signal.SIGKILL if what == "kill" else signal.SIGSTOP)
            if what == "hold up":
                time.sleep(self._random.uniform(0.2, 0.8))
                os.kill(victim, signal.SIGCONT)
        self.done.append(what)
        return victim

    def _ready(self) -> list[int]:
        """Return the ids of workers that are ready; waits until there is one."""
        while time.monotonic() < self._deadline:
            alive = [worker for worker in list(self._pool.workers) if worker.ready]
            found = [w._process.pid for w in alive if w._process.poll() is None]
            if found:
                return found
            time.sleep(0.05)
        raise TimeoutError("No worker got ready.")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Processes cannot be stopped here")
def test_every_image_is_that_of_its_parameters(alone):
    rows, generator = tagged(), np.random.default_rng(1)
    notices, order, losses = [], [], []
    with open_pool(settings(recycle_after=60), lambda: None, notify=notices.append) as pool:
        _note_events(pool, order, losses)
        pool.render(rows)
        trouble = Trouble(pool, notices, seed=2)
        trouble.start()
        started, more = time.monotonic(), 3
        while trouble.is_alive() or more:
            assert time.monotonic() < started + DEADLINE_S
            more -= not trouble.is_alive()
            asked = generator.integers(TAGS, size=generator.integers(1, 60))
            if generator.random() < 0.5:
                images = pool.render(rows[asked])
            else:
                images = [image for some in pool.stream(rows[asked]) for image in some]
            assert [read_tag(image, alone) for image in images] == asked.tolist()
    assert workers() == []
    assert len(trouble.done) >= 11
    # Each that was lost was replaced, and others were renewed.
    assert len(losses) >= 3
    assert next(pool.transport._instances) > 2 + len(losses)
    assert {text.split(" and ")[0] for text in notices} == {
        "A render worker was lost",
        "A render worker hung",
    }
    assert any(later < earlier for earlier, later in itertools.pairwise(order))


def _note_events(pool, order: list[int], losses: list[Lost]) -> None:
    """Have the numbers of the requests noted in the order of their answers, and all losses."""
    take = pool._take

    def noting(event, batch):
        if isinstance(event, Rendered):
            order.append(event.call.id)
        if isinstance(event, Lost):
            losses.append(event)
        take(event, batch)

    pool._take = noting
