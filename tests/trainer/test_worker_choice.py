# SPDX-License-Identifier: GPL-3.0-or-later
"""How many workers there are, how a batch is cut, how long an answer may take."""

import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from trainer.rendering.workers import memory, patience
from trainer.rendering.workers.batch import LARGEST_JOB, Batch, cuts, largest_job, most_ahead
from trainer.rendering.workers.choice import (
    choose_workers,
    drawing_threads,
    physical_cores,
    workers_for,
)


@pytest.mark.parametrize(
    ("cores", "available", "workers"),
    [
        (1, 64_000, 1),
        (2, 64_000, 2),
        (3, 64_000, 2),
        (8, 64_000, 7),
        (64, 64_000, 8),
        (8, 2_200, 3),
        (8, 100, 1),
    ],
)
def test_workers_follow_cores_and_memory(cores, available, workers):
    assert workers_for(cores, available, 700) == workers


def test_this_computer_gets_workers_that_fit_into_it():
    assert 1 <= physical_cores() <= os.cpu_count()
    assert 0 < memory.available_mb() <= psutil.virtual_memory().total / memory.MB
    assert 1 <= choose_workers() <= physical_cores()
    assert choose_workers(limit_mb=10**9) == 1


def test_memory_is_that_of_a_process_and_what_it_started():
    size = 300 * 2**20
    child = f"held = bytearray(b'1') * {size}; print(1, flush=True); input()"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert 300 < memory.used_mb(process.pid) < 500
        process.communicate(b"\n")
    assert memory.used_mb(process.pid) == 0


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    found = [drawing_threads(cores)["LP_NUM_THREADS"] for cores in (16.0, 2.7, 1.9, 1.0, 0.5)]
    assert found == ["16", "2", "0", "0", "0"]
    monkeypatch.setenv("LP_NUM_THREADS", "3")
    assert drawing_threads(16.0) == {}


@pytest.mark.parametrize("workers", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("count", [*range(0, 10), 20, 63, 64, 65, 127, 128, 129, 1000])
def test_jobs_are_even_and_cover_the_batch(count, workers):
    rows = np.arange(count)
    jobs = [rows[span] for span in cuts(count, workers)]
    assert [*np.concatenate([rows[:0], *jobs])] == [*rows]
    sizes = {len(job) for job in jobs}
    assert not sizes or (max(sizes) - min(sizes) <= 1 and min(sizes) >= 1)
    assert all(size <= LARGEST_JOB for size in sizes)
    assert len(jobs) == count or len(jobs) % workers == 0
    assert len(jobs) <= max(workers, 2 * count / LARGEST_JOB + workers)


def test_heavy_renders_are_shared_one_by_one():
    largest = largest_job("cycles", 64)
    assert [span.stop - span.start for span in cuts(64, 2, largest)] == [1] * 64
    batch = Batch(np.zeros((13, 13)), 4, largest=largest)
    assert [len(job) for job in batch.waiting] == [1] * 13


def test_large_images_are_not_asked_for_by_the_hundred():
    assert largest_job("fast", 64) == LARGEST_JOB
    assert [largest_job("solid", size) for size in (256, 512, 1024, 2048)] == [64, 16, 4, 1]


def test_a_batch_is_complete_when_nothing_is_missing():
    rows = np.random.default_rng(0).random((20, 13))
    batch = Batch(rows, 4, workers=3)
    while batch.missing:
        job = batch.hand_out()
        np.testing.assert_array_equal(job.rows, rows[job.span])
        batch.put([job], [images_of(job)])
    assert not batch.waiting
    assert len(batch.together(batch.finished())) == 20


@pytest.mark.parametrize("lengths", [(20,), (1, 18, 1), (7, 7, 6), (13, 7)])
def test_the_images_of_several_jobs_may_be_divided_in_any_way(lengths):
    batch = Batch(np.zeros((40, 13)), 4, workers=6)
    others, jobs = [], []
    while batch.waiting:
        others.append(batch.hand_out())
        jobs.append(batch.hand_out())
    assert [len(job) for job in jobs] == [7, 6, 7]
    batch.put(jobs, np.split(np.concatenate(list(map(numbered, jobs))), np.cumsum(lengths)[:-1]))
    for job in others:
        batch.put([job], [numbered(job)])
    assert batch.missing == 0
    assert batch.together(batch.finished())[:, 0, 0, 0].tolist() == [*range(40)]


def numbered(job):
    """Return images that each have the number of their row."""
    numbers = np.arange(job.span.start, job.span.stop, dtype=np.uint8)
    return np.tile(numbers[:, None, None, None], (1, 4, 4, 3))


def test_jobs_that_cost_workers_are_cut_down_to_the_image_that_is_to_blame():
    rows = np.random.default_rng(0).random((40, 13))
    batch = Batch(rows, 4, workers=2)
    kept, job = batch.hand_out(), batch.hand_out()
    job.losses, job.lost_at = 1, ("here",)
    several = batch.pieces(job)
    assert [len(piece) for piece in several] == [6, 7, 7]
    assert batch.missing == 4
    several[1].losses = 2
    single = batch.pieces(several[1])
    assert batch.missing == 10
    for piece in (several[0], *single, several[2]):
        batch.put([piece], [numbered(piece)])
        np.testing.assert_array_equal(piece.rows, rows[piece.span])
        assert piece.losses >= 1
        assert piece.lost_at == ("here",)
    batch.put([kept], [np.zeros((20, 4, 4, 3), np.uint8)])
    assert batch.missing == 0
    images = batch.together(batch.finished())
    assert images[26:33, 0, 0, 0].tolist() == [*range(26, 33)]
    assert single[0].in_words(40) == "image (27 of 40)"
    assert several[2].in_words(40) == "images (34 to 40 of 40)"


def test_lost_jobs_are_next_in_their_order():
    batch = Batch(np.zeros((40, 13)), 4, workers=8)
    first, second, third = (batch.hand_out() for _ in range(3))
    batch.put_back([third, first])
    assert batch.waiting[0] is first
    assert batch.waiting[1] is third
    assert len(batch.waiting) == 7
    assert second not in batch.waiting


def images_of(job):
    return np.full((len(job), 4, 4, 3), job.span.start, np.uint8)


def test_images_are_given_away_in_their_order_as_soon_as_they_are_there():
    batch = Batch(np.zeros((40, 13)), 4, workers=4)
    jobs = [batch.hand_out() for _ in range(4)]
    batch.put([jobs[1]], [images_of(jobs[1])])
    assert list(batch.finished()) == []
    batch.put([jobs[0]], [images_of(jobs[0])])
    assert [images[0, 0, 0, 0] for images in batch.finished()] == [0, 10]
    assert list(batch.finished()) == []
    for job in (jobs[3], *batch.pieces(jobs[2])):
        batch.put([job], [images_of(job)])
    assert [len(images) for images in batch.finished()] == [5, 5, 10]
    assert batch.missing == 0


def test_no_more_is_handed_out_than_may_be_ahead_of_the_images_that_are_next():
    batch = Batch(np.zeros((100, 13)), 4, workers=10)
    batch.ahead = 25
    first, second = batch.hand_out(), batch.hand_out()
    assert not batch.may_hand_out
    batch.put([second], [images_of(second)])
    assert [*batch.finished()] == []
    assert not batch.may_hand_out
    # The one that all wait for may be handed out, in however many pieces.
    batch.ahead = 5
    batch.put_back(batch.pieces(first))
    for _ in range(2):
        assert batch.may_hand_out
        piece = batch.hand_out()
        batch.put([piece], [images_of(piece)])
        assert not batch.may_hand_out
        assert [*batch.finished()]
    batch.ahead = 25
    assert batch.may_hand_out


def test_what_all_wait_for_is_next_whoever_is_lost_first():
    """A cluster may lose workers in any order, and be smaller then."""
    batch = Batch(np.zeros((100, 13)), 4, workers=10)
    batch.ahead = 60
    jobs = [batch.hand_out() for _ in range(6)]
    for job in jobs[4:]:
        batch.put([job], [images_of(job)])
    batch.ahead = 20
    batch.put_back([jobs[0], jobs[2]])
    batch.put_back([jobs[1], jobs[3]])
    assert [job.span.start for job in batch.waiting] == [0, 10, 20, 30, 60, 70, 80, 90]
    found = []
    while batch.missing:
        assert batch.may_hand_out
        job = batch.hand_out()
        batch.put([job], [images_of(job)])
        found += [images[0, 0, 0, 0] for images in batch.finished()]
    assert found == [*range(0, 100, 10)]


def test_a_stream_is_not_ahead_by_more_than_memory_holds():
    assert most_ahead(2, 2, 64, 64) == 2 * 2 * 64 * 4
    assert most_ahead(8, 2, 64, 256) * 3 * 256**2 <= 2**30
    assert most_ahead(4096, 2, 1, 2048) == 8192


def test_the_limit_follows_what_was_measured():
    limit = patience.Patience()
    unknown = limit.limit(8, first=False)
    assert unknown == 8 * patience.UNKNOWN_IMAGE_S
    limit.note(8, 0.1)
    assert limit.limit(8, first=False) == patience.LEAST_S
    limit.note(4, 40.0)
    assert limit.limit(4, first=False) == pytest.approx(40.0 * patience.TIMES_MEASURED)
    assert limit.limit(4, first=True) > limit.limit(4, first=False) + patience.LEAST_S
    for _ in range(200):
        limit.note(4, 0.1)
    assert limit.limit(4, first=False) == patience.LEAST_S


def test_time_in_which_nobody_looks_does_not_count(monkeypatch):
    monkeypatch.setattr(patience, "_LONGEST_LOOK_S", 0.05)
    watch = patience.Stopwatch()
    time.sleep(0.5)
    assert watch.look() <= 0.05
