# SPDX-License-Identifier: GPL-3.0-or-later
"""Real workers that die, hang, grow and answer nonsense, and are replaced."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from pool_helpers import rows, settings, until, warm_up, workers

from gdr_core.errors import GdrError
from gdr_core.supershape.parameters import INDEX
from trainer.rendering import blender
from trainer.rendering.open import open_pool
from trainer.rendering.workers import patience
from trainer.rendering.workers.transport import Phase

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).with_name("scripts")
DIE, HANG, GROW, MISSHAPE = 70.0, 71.0, 72.0, 73.0
"""As in ``scripts/troubled_worker.py``."""
LIMIT_MB = 900


def with_trouble(trouble: float, row: int = 37) -> np.ndarray:
    """Return 40 rows, one of which does harm to its worker."""
    batch = rows(40)
    batch[row, INDEX["n1_1"]] = trouble
    return batch


@pytest.fixture
def troubled(monkeypatch):
    """Have the workers be such as some rows do harm to."""
    monkeypatch.setattr(blender, "WORKER_SCRIPT", SCRIPTS / "troubled_worker.py")


@pytest.fixture
def once(troubled, monkeypatch, tmp_path):
    """Have each trouble be made by the first worker only that meets it."""
    monkeypatch.setenv("GDR_TEST_ONCE", str(tmp_path))


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (DIE, "lost and replaced, and its images are rendered again: it ended with exit code 9"),
        (HANG, "hung and was replaced, .* did not answer within"),
        (GROW, f"used too much memory and was replaced, .* more than {LIMIT_MB} MB"),
        (MISSHAPE, r"wrong answer and was replaced, .* of shape \(20, 5, 32, 3\)"),
    ],
    ids=["died", "hung", "memory", "answer"],
)
def test_a_worker_in_trouble_is_replaced_and_its_images_are_rendered(
    once, monkeypatch, trouble, says
):
    monkeypatch.setattr(patience, "LEAST_S", 8.0)
    monkeypatch.setattr(patience, "TIMES_MEASURED", 1.0)
    notices, batch = [], with_trouble(trouble)
    with open_pool(settings(worker_memory=LIMIT_MB), lambda: None, notify=notices.append) as pool:
        warm_up(pool)
        before = {worker.pid for worker in workers()}
        found = pool.render(batch)
        # Nobody makes trouble any more.
        np.testing.assert_array_equal(found, pool.render(batch))
        pool.render(rows(4))
    assert len(before) == 2
    assert workers() == []
    assert len(notices) == 1
    assert re.search(says, notices[0]), notices[0]
    assert len(np.unique(found.reshape(40, -1), axis=0)) == 40


@pytest.mark.parametrize(
    ("trouble", "says"),
    [(DIE, "exit code 9"), (GROW, "MB of memory"), (MISSHAPE, "of shape")],
    ids=["died", "memory", "answer"],
)
def test_an_image_that_no_worker_survives_ends_with_a_sentence(troubled, trouble, says):
    notices = []
    with open_pool(settings(worker_memory=LIMIT_MB), lambda: None, notify=notices.append) as pool:
        with pytest.raises(GdrError, match=rf"3 render workers .* image \(38 of 40\).*{says}.*\.$"):
            pool.render(with_trouble(trouble))
        assert len(notices) == 1
        assert len(np.unique(pool.render(rows(40)).reshape(40, -1), axis=0)) == 40
    assert workers() == []


def test_a_limit_below_what_a_worker_needs_is_said():
    with (
        pytest.raises(GdrError, match=r"nothing yet uses \d+ MB .* allow more than 50 MB"),
        open_pool(settings(worker_memory=50), lambda: None) as pool,
    ):
        pool.render(rows(4))


@pytest.mark.parametrize("count", [1, 2])
def test_workers_are_renewed_without_a_pause(count):
    def check():
        pids.update(worker.pid for worker in workers())
        counts.append(sum(worker.ready for worker in pool.workers))

    pids, counts, notices = set(), [], []
    with open_pool(settings(workers=1), lambda: None) as alone:
        expected = alone.render(rows(40))
    with open_pool(
        settings(workers=count, recycle_after=60), lambda: check(), notify=notices.append
    ) as pool:
        until(
            lambda: len(pids) >= 2 * count + 2,
            lambda: np.testing.assert_array_equal(pool.render(rows(40)), expected),
        )
    assert workers() == []
    assert notices == []
    all_ready = counts.index(count)
    assert set(counts[all_ready:]) == {count}  # A successor was there before each retired.


def test_a_worker_whose_successor_does_not_start_goes_on(monkeypatch):
    with open_pool(settings(workers=1, recycle_after=60), lambda: None) as pool:
        expected = pool.render(rows(40))
        worker = pool.workers[0]
        monkeypatch.setattr(blender, "WORKER_SCRIPT", SCRIPTS / "no_worker.py")
        pool.render(rows(40))
        rendered = worker.rendered
        assert rendered == 80
        until(
            lambda: worker.rendered < rendered,  # Counted anew since the successor did not start.
            lambda: np.testing.assert_array_equal(pool.render(rows(40)), expected),
        )
        assert pool.workers == [worker]
        assert worker.phase is Phase.READY


def test_a_run_goes_on_with_fewer_workers_where_none_can_be_started(monkeypatch):
    notices = []
    with open_pool(settings(), lambda: None, notify=notices.append) as pool:
        expected = pool.render(rows(40))
        until(lambda: all(worker.ready for worker in pool.workers), lambda: pool.render(rows(40)))
        monkeypatch.setattr(blender, "WORKER_SCRIPT", SCRIPTS / "no_worker.py")
        workers()[0].kill()
        until(
            lambda: any("goes on with 1" in text for text in notices),
            lambda: np.testing.assert_array_equal(pool.render(rows(40)), expected),
        )
        assert len(pool.workers) == 1
        np.testing.assert_array_equal(pool.render(rows(40)), expected)
        assert any("goes on with 1: Blender ended while it started" in text for text in notices)
        workers()[0].kill()
        time.sleep(1.0)  # The pool misses it by now.
        with pytest.raises(GdrError, match="No render worker could be started"):
            pool.render(rows(40))


def test_what_is_given_up_while_a_worker_hangs_is_not_waited_for(once, tmp_path):
    class Enough(Exception):
        pass

    def check():
        if giving_up and (tmp_path / str(HANG)).exists():
            raise Enough

    giving_up = False
    with open_pool(settings(), lambda: check()) as pool:
        warm_up(pool)
        expected = pool.render(rows(40))
        giving_up = True
        with pytest.raises(Enough):
            pool.render(with_trouble(HANG, row=0))
        giving_up = False
        given_up = [call for worker in pool.workers for call in worker.calls]
        began = time.monotonic()
        np.testing.assert_array_equal(pool.render(rows(40)), expected)
        assert time.monotonic() - began < patience.LEAST_S / 2
        # One of them is still at work on what nobody wants, and has got nothing else.
        (hanging,) = [worker for worker in pool.workers if worker.calls]
        assert [call in given_up and not call.wanted for call in hanging.calls] == [True]
