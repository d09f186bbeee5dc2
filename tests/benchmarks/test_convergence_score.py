# SPDX-License-Identifier: GPL-3.0-or-later
"""How runs are judged."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.convergence import report, table
from benchmarks.convergence.score import distance, first_kept, judge, t95

DRAWN_MEAN, DRAWN_STD = [2.25, 2.3], [0.1, 0.12]


def record(lines, **changes):
    """Return a record of ``reference`` with estimates off by ``(mean error, share of spread)``."""
    history = [
        {
            "renders": 20 * (k + 1),
            "mean": [DRAWN_MEAN[0] + mean_off, DRAWN_MEAN[1]],
            "std": [DRAWN_STD[0], DRAWN_STD[1] * (1 + std_off)],
            "converged": False,
            "seconds": 0.1 * (k + 1),
        }
        for k, (mean_off, std_off) in enumerate(lines)
    ]
    return {
        "task": "reference",
        "contestant": "regression",
        "seed": 0,
        "limit": 600,
        "sources": "test",
        "truth_mean": [2.25, 2.25],
        "truth_std": [0.1, 0.1],
        "start": [1.2, 3.0],
        "drawn_mean": DRAWN_MEAN,
        "drawn_std": DRAWN_STD,
        "drawn_correlation": [[1.0, 0.2], [0.2, 1.0]],
        "correlation": [[1.0, 0.0], [0.0, 1.0]],
        "renders": 20 * len(lines),
        "converged": False,
        "error": None,
        "report": None,
        "uncertainty": None,
        "estimator_seconds": 0.1 * len(lines),
        "history": history,
        "checks": [],
        "differences": [],
    } | changes


FAR, NEAR = (1.0, 0.0), (0.04, 0.1)


def test_reached_and_kept_counts_from_the_last_time_it_came_within():
    score = judge(record([FAR, NEAR, FAR, NEAR, NEAR]))
    assert (score.touched, score.kept) == (40, 80)
    assert score.success


def test_an_estimate_that_leaves_at_the_end_is_not_kept():
    score = judge(record([NEAR, NEAR, FAR]))
    assert (score.touched, score.kept, score.success) == (20, None, False)


def test_kept_too_late_is_no_success():
    late = record([FAR] * 15 + [NEAR])
    assert judge(late).kept == 320
    assert not judge(late).success
    assert judge(late, within=5120).success


@pytest.mark.parametrize(
    ("off", "good"),
    [((0.049, 0), True), ((0.051, 0), False), ((0, 0.19), True), ((0, -0.21), False)],
)
def test_both_means_and_spreads_count(off, good):
    assert (judge(record([off])).kept is not None) == good


def test_means_alone_count_behind_a_nuisance():
    assert judge(record([(0.09, 5.0)], task="light")).kept == 20


def test_an_estimate_that_is_no_number_is_infinitely_far_off():
    assert distance(record([(math.nan, 0.0)])) == [np.inf]
    assert judge(record([(math.nan, 0.0)])).off == ("m1", "m2")[:1]


def test_a_stop_without_having_arrived_is_a_wrong_one():
    assert judge(record([FAR], converged=True)).false_stop
    assert not judge(record([NEAR], converged=True)).false_stop
    assert not judge(record([FAR])).false_stop


def test_a_run_that_broke_off_has_not_arrived():
    assert judge(record([NEAR], error="The discriminator diverged.")).kept is None


def test_a_run_without_an_update_is_judged():
    score = judge(record([], error="No."))
    assert (score.kept, score.mean_error, score.off) == (None, np.inf, ("m1", "m2"))


def test_pictures_judge_where_they_should():
    checks = [
        {"renders": 100, "accuracy": 0.7, "low": 0.6, "high": 0.8},
        {"renders": 200, "accuracy": 0.52, "low": 0.47, "high": 0.57},
        {"renders": 300, "accuracy": 0.4, "low": 0.35, "high": 0.45},
    ]
    score = judge(record([FAR] * 15, task="six", checks=checks) | {"task": "six"} | six())
    assert (score.kept, score.accuracy) == (200, 0.4)


def six():
    """Return what a record of six parameters has other than one of two."""
    line = {"renders": 300, "mean": [0.0] * 6, "std": [0.1] * 6, "converged": False, "seconds": 1.0}
    identity = np.eye(6).tolist()
    return {
        "drawn_mean": [0.0] * 6,
        "drawn_std": [0.1] * 6,
        "drawn_correlation": identity,
        "correlation": identity,
        "start": [0.0] * 6,
        "history": [line],
    }


def test_intervals_are_counted_where_there_are_any():
    known = {"mean": [0.03, 0.03], "std": [None, 0.001], "undetermined": ["m2"]}
    score = judge(record([(0.05, 0.1)], uncertainty=known))
    assert (score.covered, score.intervals) == (2, 3)
    assert score.undetermined == ("m2",)


def test_what_can_be_exchanged_is_listed():
    group = {"direction": {"n1_1": 0.8, "n2_1": 0.6}, "change": 0.1}
    known = {"mean": [0.1] * 2, "std": [0.1] * 2, "undetermined": [], "trade_offs": [group]}
    found = record([NEAR], uncertainty=known)
    assert judge(found).trade_offs == ("n1_1 with n2_1",)
    assert "exchangeable, in so many seeds: `n1_1 with n2_1` 1." in report.tables([found])


def test_targets_taken_for_differently_lit_are_counted_wrongly_and_rightly():
    notes = [{"renders": 120, "note": "The targets differ."}]
    assert judge(record([NEAR], notes=notes)).noticed == 120
    assert judge(record([NEAR])).noticed is None  # Also a record from before there were notes.
    said = report.tables([record([NEAR], notes=notes), record([NEAR], task="light", notes=notes)])
    assert "`reference`, regression: 1 of 1 seeds are wrongly taken for" in said
    assert "`light`, regression: 1 of 1 seeds are taken for differently lit, after 120" in said


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(5, 2.5706), (7, 2.3646), (63, 1.9983), (10_000, 1.9602)]
)
def test_intervals_of_few_targets_are_wider(freedom, quantile):
    assert t95(freedom) == pytest.approx(quantile, abs=3e-3)


def test_first_kept_of_nothing():
    assert first_kept([], []) is None


def test_failures_count_as_infinitely_many_renders_in_the_median():
    good, bad = record([FAR, NEAR]), record([FAR, FAR])
    assert "40 (2/3)" in report.tables([good, good, bad])
    assert "> 600 (1/3)" in report.tables([good, bad, bad])


def test_a_false_claim_spoils_a_row():
    task = table.TASKS["random"]
    right = [judge(record([NEAR], task="random", converged=True))] * 19
    assert table.meets(task, [*right, judge(record([FAR], task="random"))])
    assert not table.meets(task, [*right, judge(record([FAR], task="random", converged=True))])
