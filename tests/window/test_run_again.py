# SPDX-License-Identifier: GPL-3.0-or-later
"""The second click: the trainer of the first run makes it, wherever that is still there."""

import sys
from pathlib import Path

import pytest
from harness import install_extension, run_script

SCRIPT = Path(__file__).parent / "scripts" / "run_again.py"


def drive(blender, archive, folder, *arguments):
    resources = folder / "resources"
    install_extension(blender, archive, resources)
    return run_script(
        blender,
        SCRIPT,
        folder=folder,
        user_resources=resources,
        arguments=arguments,
        environment={"GDR_TRAINER_PYTHON": sys.executable},
        timeout=400,
    )


@pytest.fixture(scope="module")
def report(blender, archive, tmp_path_factory):
    """What the script saw; Blender quits while a trainer stays."""
    result = drive(blender, archive, tmp_path_factory.mktemp("again")).check()
    assert "Traceback" not in result.log
    return result.report


def test_all_runs_are_made(report):
    for case, runs in report.items():
        for run in [runs] if case == "last" else runs if case != "blender" else []:
            assert (run["status"], run["step"], run["active"]) == ("DONE", 4, False), (case, run)


def test_the_same_trainer_with_the_same_workers_makes_the_next_run(report):
    first, *others = report["again"]
    print(report["blender"], [(run["first_step"], run["end"]) for run in report["again"]])
    assert (len(first["trainer"]), len(first["workers"])) == (1, 1)
    for run in others:
        assert (run["trainer"], run["workers"]) == (first["trainer"], first["workers"])
        assert run["first_step"] < 0.7 * first["first_step"]


@pytest.mark.parametrize("case", ["killed_meanwhile", "killed_just_now"])
def test_one_that_was_killed_is_started_anew(report, case):
    before, after = report[case]
    assert before["trainer"] != after["trainer"]
    assert len(after["trainer"]) == 1


@pytest.mark.parametrize("case", ["other_preferences", "opened_another_file", "disabled"])
def test_it_is_let_go(report, case):
    # That it left, with its workers, is what the script waits for.
    assert len(report[case][0]["trainer"]) == 1


def test_it_leaves_by_itself(report):
    assert report["left_by_itself"][0]["kept"] is False


def test_it_stays_while_blender_quits_and_is_ended(report):
    assert len(report["last"]["trainer"]) == 1


def test_one_that_stays_does_not_outlive_a_blender_that_is_killed(blender, archive, tmp_path):
    result = drive(blender, archive, tmp_path, "killed")
    assert result.error is None
    assert result.report["status"] == "DONE"
    assert len(result.report["trainer"]) == 1
    assert result.returncode == -9
    assert result.survivors == []
