# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and parameters belong together, whatever happens to the workers.

Each shape is a tag, which is read back from its image: of all shapes' images, each rendered by
itself by the renderer in another process, it is like one only. Meanwhile workers are killed,
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
from pool_helpers import GRID, SIZE, settings, workers

from gdr_core.supershape import parameters
from trainer.rendering.open import open_pool

ALONE = Path(__file__).with_name("scripts") / "render_alone.py"
TAGS = 48
DEADLINE_S = 400.0


def tagged() -> np.ndarray:
    """Return ``(TAGS, 12)`` shapes, each unlike all others."""
    batch = np.repeat(parameters.defaults()[None], TAGS, axis=0)
    first, second = np.divmod(np.arange(TAGS), 6)
    batch[:, parameters.INDEX["m1"]] = 2 + first
    batch[:, parameters.INDEX["m2"]] = 3 + second
    return batch


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the images of all tags, each rendered by itself."""
    folder = tmp_path_factory.mktemp("alone")
    np.save(folder / "shapes.npy", tagged())
    command = [sys.executable, ALONE, folder / "shapes.npy", folder / "images.npy", SIZE, GRID]
    subprocess.run(list(map(str, command)), check=True, timeout=300, capture_output=True)
    images = np.load(folder / "images.npy").astype(int)
    apart = np.abs(images[:, None] - images[None]).reshape(TAGS, TAGS, -1).max(axis=2)
    assert apart[~np.eye(TAGS, dtype=bool)].min() > 10
    return images


def read_tag(image: np.ndarray, alone: np.ndarray) -> int:
    """Return the number of the one shape that the image shows."""
    (found,) = np.flatnonzero((alone == image).all(axis=(1, 2, 3)))
    return int(found)


class Trouble(threading.Thread):
    """Does harm to workers that are ready, in a random order, a while apart.

    At the end workers are stopped until one counts as hung: any may be renewed or killed first.
    """

    def __init__(self, pool, told: list[str], seed: int):
        super().__init__(daemon=True)
        self.done: list[str] = []
        self._pool = pool
        self._random = random.Random(seed)
        self._told = told
        self._todo = ["kill"] * 4 + ["stop"] * 3 + ["hold up"] * 4
        self._random.shuffle(self._todo)

    def run(self) -> None:
        for what in self._todo:
            time.sleep(self._random.uniform(0.3, 1.5))
            self._harm(what)
        while not any("hung" in text for text in self._told):
            victim = self._harm("stop")
            while psutil.pid_exists(victim):
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
        while True:
            alive = [worker for worker in list(self._pool._workers) if worker.ready]
            found = [w._process.pid for w in alive if w._process.poll() is None]
            if found:
                return found
            time.sleep(0.05)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Processes cannot be stopped here")
def test_every_image_is_that_of_its_parameters(alone):
    shapes, generator = tagged(), np.random.default_rng(1)
    told, order = [], []
    with open_pool(settings(recycle_after=60), lambda: None, tell=told.append) as pool:
        _note_order(pool, order)
        pool.render(shapes)
        trouble = Trouble(pool, told, seed=2)
        trouble.start()
        started, more = time.monotonic(), 3
        while trouble.is_alive() or more:
            assert time.monotonic() < started + DEADLINE_S
            more -= not trouble.is_alive()
            asked = generator.integers(TAGS, size=generator.integers(1, 60))
            if generator.random() < 0.5:
                images = pool.render(shapes[asked])
            else:
                images = [image for some in pool.stream(shapes[asked]) for image in some]
            assert [read_tag(image, alone) for image in images] == asked.tolist()
    assert workers() == []
    assert len(trouble.done) >= 11
    # Seven were lost, and some were renewed.
    assert next(pool._instances) > 2 + 7
    assert {text.split(" and ")[0] for text in told} == {
        "A render worker was lost",
        "A render worker hung",
    }
    assert any(later < earlier for earlier, later in itertools.pairwise(order))


def _note_order(pool, order: list[int]) -> None:
    """Have the numbers of the requests noted in the order in which they are answered."""
    take = pool._take_answer

    def noting(worker, message, batch):
        order.append(message.id)
        take(worker, message, batch)

    pool._take_answer = noting
